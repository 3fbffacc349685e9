"""How a mean over all workers is taken: what an algorithm's options say, and what they mean with its codec."""

from __future__ import annotations

from typing import Literal

from algorithms.aggregation import Aggregation, AllgatherMean, ExactMean, ReduceScatterMean
from algorithms.algorithm import AlgorithmOptions, Worker
from algorithms.coder import Coder
from algorithms.exchanges.summation import ExchangeName


class AveragingOptions(AlgorithmOptions):
    """`exchange` is of an exact codec, `aggregation` of a lossy one; each is refused with the other."""

    exchange: ExchangeName | None = None
    """ring (default): our own, the same on every MPI library and size; mpi: the library's choice. See `pattern`."""
    aggregation: Literal["reduce-scatter", "allgather"] | None = None
    """reduce-scatter (default) moves 2(n-1)/n of the coded size, allgather n-1 times it, coded once."""

    @property
    def pattern(self) -> str:
        """The exchange of an exact codec."""
        return self.exchange or "ring"


_CODED: dict[str, type[Aggregation]] = {"reduce-scatter": ReduceScatterMean, "allgather": AllgatherMean}


def create_aggregation(algorithm: str, worker: Worker, coder: Coder, options: AveragingOptions) -> Aggregation:
    """What `options` ask for; ValueError for an option of the other kind of codec."""
    codec = worker.codec
    unfit, value = ("aggregation", options.aggregation) if codec.exact else ("exchange", options.exchange)
    if value is not None:
        kind, instead = ("lossy", "exchange") if codec.exact else ("exact", "aggregation")
        raise ValueError(
            f"algorithm {algorithm}: option {unfit} is {value!r}, but it is for {kind} codecs and the codec is "
            f"{codec.name}; leave it out or set {instead}"
        )
    if codec.exact:
        return ExactMean(worker, coder, options.pattern)
    return _CODED[options.aggregation or "reduce-scatter"](worker, coder)
