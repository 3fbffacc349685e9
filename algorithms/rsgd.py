"""rsgd: local SGD, one of p chunks of the parameters averaged in each step (Jiang & Agrawal 2018, section 5)."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from torch import Tensor

from algorithms.algorithm import ALGORITHMS, Algorithm, AlgorithmOptions, Step, Work, Worker
from algorithms.coder import FLOAT_BYTES, Coder
from algorithms.exchanges.chunks import length, split
from algorithms.exchanges.summation import SUMMATIONS, ExchangeName
from algorithms.psgd import require_exact


class RsgdOptions(AlgorithmOptions):
    """Into how many chunks, and by which pattern."""

    period: Annotated[int, Field(ge=1)] = 4
    """p: chunks, and steps after which each has been averaged once; as psgd's, to compare with."""
    exchange: ExchangeName = "ring"


@ALGORITHMS.register("rsgd")
class Rsgd(Algorithm):
    """x_i <- x_i - rate * g_i(x_i); then x_i[c] <- mean over workers of x_j[c], c = (t - 1) mod p.

    Any p steps in a row average all chunks, which is equation (8). psgd's bytes, spread evenly over the steps; p times
    its messages. State: exchange buffers; velocities stay local. Bytes per worker and step: that of the exchange of a
    chunk, ring 8 N (n-1)/(n p).
    """

    name = "rsgd"
    Options = RsgdOptions

    def __init__(self, worker: Worker, options: RsgdOptions) -> None:
        super().__init__(worker, options)
        require_exact(self.name, worker)
        if options.period > worker.parameters:
            raise ValueError(
                f"algorithm rsgd: option period is {options.period}, must be at most the number of parameters, "
                f"{worker.parameters}, as it is that of chunks; lower it"
            )
        self.period = options.period
        self._coder = Coder(worker)
        self._chunks = split(worker.parameters, options.period)
        kind = SUMMATIONS.find(options.exchange)
        self._sums = [
            kind(worker.rank, worker.workers, length(chunk), worker.meter, worker.device) for chunk in self._chunks
        ]

    def step(self, x: Tensor, gradient: Tensor, t: int, rate: float) -> Step:
        """Descend, average this step's chunk."""
        self._coder.begin(t, gradient)
        with self.worker.meter.work(Work.APPLY, FLOAT_BYTES * x.numel()):
            x.add_(self.descent.direction(x, gradient), alpha=-rate)
        chunk = x[self._chunks[self._place(t)]]
        yield from self._sums[self._place(t)].average(chunk, into=chunk)

    def declared_bytes(self, t: int) -> int:
        """That of the exchange of this step's chunk."""
        return self._sums[self._place(t)].sent_bytes()

    def _place(self, t: int) -> int:
        return (t - 1) % self.period
