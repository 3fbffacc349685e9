"""topk: every worker sends the k largest components of what it has accumulated (Aji & Heafield 2017)."""

from __future__ import annotations

import torch
from torch import Tensor

from algorithms.algorithm import ALGORITHMS, Bytes, Step, Work
from algorithms.coder import FLOAT_BYTES
from algorithms.exchanges.ring import ring_allgather
from algorithms.selecting import Selecting
from algorithms.selection import entries_of, entry_bytes


@ALGORITHMS.register("topk")
class Topk(Selecting):
    """acc_i = residual_i + rate * g_i;  x <- x - direction(mean over workers of TopK(acc_j)).

    residual_i <- acc_i where it was not selected, 0 elsewhere. Shi's equation (3), with the learning rate inside the
    residual as in gtopk. All workers hold the same x, bit for bit. State: the residual. Bytes per worker and step:
    8 k (n-1): k indices and values of every worker, gathered on a ring.
    """

    name = "topk"

    def step(self, x: Tensor, gradient: Tensor, t: int, rate: float) -> Step:
        """Accumulate, select, gather, descend."""
        self.coder.begin(t, gradient)
        slots, selected = self._slots(t), self.select(gradient, t, rate)
        self.residual.sent_entries(selected.index)
        slots[self.worker.rank].copy_(entry_bytes(selected))
        yield from ring_allgather(self.worker.rank, self.worker.workers, slots, own=self.worker.rank)
        self._average(slots)
        with self.worker.meter.work(Work.APPLY, FLOAT_BYTES * x.numel()):
            x.sub_(self.descent.direction(x, self.update, scale=rate))

    def declared_bytes(self, t: int) -> int:
        """8 k (n-1)."""
        return self.selected_bytes(t) * (self.worker.workers - 1)

    def _average(self, slots: list[Bytes]) -> None:
        """All workers' entries, added in the order of ranks."""
        self.update.zero_()
        for slot in slots:
            entries = entries_of(slot)
            with self.worker.meter.work(Work.REDUCE, entries.values.nbytes):
                self.update.index_add_(0, entries.index, entries.values)
        with self.worker.meter.work(Work.APPLY, FLOAT_BYTES * self.update.numel()):
            self.update.div_(self.worker.workers)

    def _slots(self, t: int) -> list[Bytes]:
        size = self.selected_bytes(t)
        return [torch.empty(size, dtype=torch.uint8, device=self.worker.device) for _ in range(self.worker.workers)]
