"""pqasgd: local SGD, quantized changes averaged every p steps (Jiang & Agrawal 2018, algorithm 2)."""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from algorithms.algorithm import ALGORITHMS, Algorithm, Step, Work, Worker
from algorithms.averaging import AveragingOptions, create_aggregation
from algorithms.coder import FLOAT_BYTES, Coder


class PqasgdOptions(AveragingOptions):
    """How often, and how the mean is taken."""

    period: Annotated[int, Field(ge=1)] = 8
    """p: the paper's own, of all its figures with this algorithm."""


@ALGORITHMS.register("pqasgd")
class Pqasgd(Algorithm):
    """x_i <- x_i - rate * g_i(x_i); then, where p divides t, x_i <- x_last + mean over workers of Q(x_j - x_last).

    No error feedback: it relies on E Q(v) = v. x_last is x after the last average, the same bits at all workers.
    State: x_last; velocities stay local. Bytes per worker and step: every p-th step those of allreduce with this codec,
    about 2 (n-1)/n B(N) for reduce-scatter; otherwise none.
    """

    name = "pqasgd"
    Options = PqasgdOptions
    keeps = ("last",)

    def __init__(self, worker: Worker, options: PqasgdOptions) -> None:
        super().__init__(worker, options)
        self.period = options.period
        self._coder = Coder(worker)
        self._aggregation = create_aggregation(self.name, worker, self._coder, options)
        self.last: Tensor | None = None  # filled from x in the first step: all start from one x
        self._change = torch.empty(worker.parameters, device=worker.device)

    @classmethod
    def theory_q(cls, options: PqasgdOptions, samples: int | None) -> float:
        """1 on shared data, 1/(m p) on partitioned data: Jiang & Agrawal 2018, section 4."""
        return 1.0 if samples is None else 1.0 / (samples * options.period)

    def step(self, x: Tensor, gradient: Tensor, t: int, rate: float) -> Step:
        """Descend; every p-th step, average the coded changes."""
        self._coder.begin(t, gradient)
        if self.last is None:
            self.last = x.clone()
        with self.worker.meter.work(Work.APPLY, FLOAT_BYTES * x.numel()):
            x.add_(self.descent.direction(x, gradient), alpha=-rate)
        if t % self.period:
            return
        with self.worker.meter.work(Work.APPLY, FLOAT_BYTES * x.numel()):
            torch.sub(x, self.last, out=self._change)
        yield from self._aggregation.average(self._change, "change of the model")
        with self.worker.meter.work(Work.APPLY, 2 * FLOAT_BYTES * x.numel()):
            x.copy_(self.last.add_(self._aggregation.mean))

    def declared_bytes(self, t: int) -> int:
        """None, or the aggregation's."""
        return 0 if t % self.period else self._aggregation.sent_bytes()
