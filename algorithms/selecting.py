"""What algorithms share whose workers send the largest components of what they have accumulated."""

from __future__ import annotations

import torch
from torch import Tensor

from algorithms.algorithm import Algorithm, Work, Worker
from algorithms.codecs.topk import Topk
from algorithms.coder import FLOAT_BYTES, Coder
from algorithms.residual import Residual
from algorithms.selection import ENTRY_BYTES, Entries, WarmUpOptions, kept, largest, require_selectable


class Selecting(Algorithm):
    """acc_i = residual_i + rate * g_i, of which k components are selected; what was not sent is the next residual."""

    Options = WarmUpOptions
    costs = (Topk.name,)
    keeps = ("residual.values",)
    vectors = 6  # x, gradient, velocity, residual, update; while it selects, some shorter ones

    def __init__(self, worker: Worker, options: WarmUpOptions) -> None:
        super().__init__(worker, options)
        require_selectable(self.name, worker, options)
        self._options = options
        self.residual = Residual(worker)
        self.coder = Coder(worker)
        self.update = torch.empty(worker.parameters, device=worker.device)  # what all descend by

    def selected_bytes(self, t: int) -> int:
        """8 k."""
        return ENTRY_BYTES * self.kept(t)

    def kept(self, t: int) -> int:
        """k of step t."""
        return kept(self._options, self.worker.parameters, t)

    def select(self, gradient: Tensor, t: int, rate: float) -> Entries:
        """The k largest of what has accumulated, which are still in the residual."""
        accumulated = self.residual.accumulate(gradient, rate)
        self.coder.require_finite(accumulated, "accumulated gradient")
        with self.worker.meter.work(Work.ENCODE, FLOAT_BYTES * accumulated.numel(), Topk.name):
            return largest(accumulated, self.kept(t))
