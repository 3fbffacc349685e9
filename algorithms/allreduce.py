"""allreduce: synchronous SGD on the mean gradient of all workers."""

from __future__ import annotations

from typing import Literal

from torch import Tensor

from algorithms.aggregation import (
    Aggregation,
    AllgatherMean,
    LibraryMean,
    ReduceScatterMean,
    RingMean,
)
from algorithms.algorithm import ALGORITHMS, Algorithm, AlgorithmOptions, Step, Work, Worker
from algorithms.coder import FLOAT_BYTES, Coder


class AllreduceOptions(AlgorithmOptions):
    """`exchange` is of an exact codec, `aggregation` of a lossy one; each is refused with the other."""

    exchange: Literal["ring", "mpi"] | None = None
    """ring (default): our own, the same on every MPI library and size; mpi: the library's choice."""
    aggregation: Literal["reduce-scatter", "allgather"] | None = None
    """reduce-scatter (default) moves 2(n-1)/n of the coded size, allgather n-1 times it, coded once."""


_EXACT: dict[str, type[Aggregation]] = {"ring": RingMean, "mpi": LibraryMean}
_CODED: dict[str, type[Aggregation]] = {"reduce-scatter": ReduceScatterMean, "allgather": AllgatherMean}


@ALGORITHMS.register("allreduce")
class Allreduce(Algorithm):
    """x <- x - rate * direction(mean over workers of g_i).

    The papers' FULLSGD, S-SGD and C-PSGD; with the codec qsgd, QSGD.

    All workers hold the same x, bit for bit. State: exchange buffers (and the velocity, the same everywhere,
    as momentum is applied after averaging). Bytes per worker and step: fp32 ring 8 N (n-1)/n; coded
    reduce-scatter about 2 (n-1)/n B(N); coded allgather (n-1) B(N), with B the codec's payload_bytes.
    """

    name = "allreduce"
    Options = AllreduceOptions

    def __init__(self, worker: Worker, options: AllreduceOptions) -> None:
        super().__init__(worker, options)
        self._coder = Coder(worker)
        self._aggregation = _choose(worker, options)(worker, self._coder)

    def step(self, x: Tensor, gradient: Tensor, t: int, rate: float) -> Step:
        """Average the gradients, descend."""
        self._coder.begin(t, gradient)
        yield from self._aggregation.average(gradient)
        with self.worker.meter.work(Work.APPLY, FLOAT_BYTES * x.numel()):
            x.add_(self.descent.direction(x, self._aggregation.mean), alpha=-rate)

    def declared_bytes(self, t: int) -> int:
        """The aggregation's, whatever the step."""
        del t
        return self._aggregation.sent_bytes()


def _choose(worker: Worker, options: AllreduceOptions) -> type[Aggregation]:
    codec = worker.codec
    unfit, value = ("aggregation", options.aggregation) if codec.exact else ("exchange", options.exchange)
    if value is not None:
        kind, instead = ("lossy", "exchange") if codec.exact else ("exact", "aggregation")
        raise ValueError(
            f"algorithm allreduce: option {unfit} is {value!r}, but it is for {kind} codecs and the codec is "
            f"{codec.name}; leave it out or set {instead}"
        )
    if codec.exact:
        return _EXACT[options.exchange or "ring"]
    return _CODED[options.aggregation or "reduce-scatter"]
