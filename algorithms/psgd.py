"""psgd: local SGD, parameters averaged every p steps (Jiang & Agrawal 2018, section 3.2)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field
from torch import Tensor

from algorithms.algorithm import ALGORITHMS, Algorithm, AlgorithmOptions, Step, Work, Worker
from algorithms.coder import FLOAT_BYTES, Coder
from algorithms.exchanges.summation import SUMMATIONS, ExchangeName


class PsgdOptions(AlgorithmOptions):
    """How often, by which pattern, and what becomes of velocities."""

    period: Annotated[int, Field(ge=1)] = 4
    """p. With 2 and 4 the paper's test accuracy is slightly above that of p = 1, with 8 its loss lags behind."""
    exchange: ExchangeName = "ring"
    momentum_buffers: Literal["local", "averaged", "reset"] = "local"
    """What averaging does to velocities. local (default): nothing; averaged: for twice the bytes; reset: to zero."""


@ALGORITHMS.register("psgd")
class Psgd(Algorithm):
    """x_i <- x_i - rate * g_i(x_i); then, where p divides t, x_i <- mean over workers of x_j.

    t = j + 1, with the paper's j from 0. State: exchange buffers. Bytes per worker and step: every p-th step that of
    the exchange, ring 8 N (n-1)/n; otherwise none.
    """

    name = "psgd"
    Options = PsgdOptions

    def __init__(self, worker: Worker, options: PsgdOptions) -> None:
        super().__init__(worker, options)
        require_exact(self.name, worker)
        if options.momentum_buffers != "local" and not options.momentum:
            raise ValueError(
                f"algorithm psgd: option momentum_buffers is {options.momentum_buffers!r}, but momentum is 0, so that "
                "there are none; set momentum or leave it out"
            )
        self.period = options.period
        self._buffers = options.momentum_buffers
        self._coder = Coder(worker)
        kind = SUMMATIONS.find(options.exchange)
        self._mean = kind(worker.rank, worker.workers, worker.parameters, worker.meter, worker.device)

    def step(self, x: Tensor, gradient: Tensor, t: int, rate: float) -> Step:
        """Descend; every p-th step, average."""
        self._coder.begin(t, gradient)
        with self.worker.meter.work(Work.APPLY, FLOAT_BYTES * x.numel()):
            x.add_(self.descent.direction(x, gradient), alpha=-rate)
        if t % self.period:
            return
        yield from self._mean.average(x, into=x)
        velocity = self.descent.velocity
        if velocity is not None and self._buffers == "averaged":
            yield from self._mean.average(velocity, into=velocity)
        elif velocity is not None and self._buffers == "reset":
            velocity.zero_()

    def declared_bytes(self, t: int) -> int:
        """None, or the exchange's, for each vector that is averaged."""
        if t % self.period:
            return 0
        return self._mean.sent_bytes() * (2 if self._buffers == "averaged" else 1)


def require_exact(algorithm: str, worker: Worker) -> None:
    """ValueError for a lossy codec, whose noise averaged parameters would keep."""
    if not worker.codec.exact:
        raise ValueError(
            f"algorithm {algorithm}: codec is {worker.codec.name}, must be an exact one such as fp32, as it averages "
            "parameters; use pqasgd, which codes how they have changed"
        )
