"""gtopk: the workers' top-k merged up a tree, k components at every node (Shi et al. 2019, algorithm 1)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from algorithms.algorithm import ALGORITHMS, Bytes, Exchange, Receive, Send, Step, Work, Worker
from algorithms.codecs.packing import pack_flags, packed_bytes, unpack_flags
from algorithms.coder import FLOAT_BYTES
from algorithms.exchanges.binomial import children, parent
from algorithms.selecting import Selecting
from algorithms.selection import (
    ENTRY_BYTES,
    Entries,
    WarmUpOptions,
    entries_of,
    entry_bytes,
    merge,
    survivors,
)


@dataclass(frozen=True)
class _Merge:
    """Indices before a child's were merged in, the child's, and what is left of both."""

    child: int
    before: Tensor
    childs: Tensor
    merged: Tensor


@ALGORITHMS.register("gtopk")
class Gtopk(Selecting):
    """acc_i = residual_i + rate * g_i;  g = gTopK(acc_1, ..., acc_n);  x <- x - direction(g / n).

    A binomial tree, for any number of workers: a node adds its children's k entries to its own and keeps the k largest,
    with their signs (equation 6). On its way back g comes with a bit for each entry that a child had sent: whether it
    is still in. What a merge dropped returns to the residual of whoever it came from, even where another worker's
    value at the same index survives, so that sum_i acc_i = g + sum_i residual_i. (A mask of g's indices alone would
    lose such values.)

    All workers hold the same x, bit for bit. State: the residual. Bytes per worker and step: 8 k to its parent, and
    8 k + ceil(k / 8) to each child, of which worker 0 has log2 n.
    """

    name = "gtopk"

    def __init__(self, worker: Worker, options: WarmUpOptions) -> None:
        super().__init__(worker, options)
        self._parent = parent(worker.rank, worker.workers)
        self._children = children(worker.rank, worker.workers)
        self._merges: list[_Merge] = []

    def step(self, x: Tensor, gradient: Tensor, t: int, rate: float) -> Step:
        """Accumulate, select, merge upwards, spread downwards, keep what was dropped, descend."""
        self.coder.begin(t, gradient)
        k = self.kept(t)
        room = torch.empty(_down_bytes(k), dtype=torch.uint8, device=self.worker.device)
        selected = self.select(gradient, t, rate)
        total, survives = selected, torch.ones(k, dtype=torch.bool, device=self.worker.device)
        for child in self._children:
            yield Exchange(receives=(Receive(child, room[: ENTRY_BYTES * k]),))
            total = self._merge(child, total, entries_of(room[: ENTRY_BYTES * k]))
        if self._parent is not None:
            yield Exchange(sends=(Send(self._parent, entry_bytes(total)),))
            yield Exchange(receives=(Receive(self._parent, room),))
            total, survives = entries_of(room[: ENTRY_BYTES * k]), unpack_flags(room[ENTRY_BYTES * k :], k)
        while self._merges:
            last = self._merges.pop()
            yield Exchange(sends=(Send(last.child, _down(total, survivors(last.childs, last.merged, survives))),))
            survives = survivors(last.before, last.merged, survives)
        self.residual.sent_entries(selected.index[survives])
        self._apply(x, total, rate)

    def declared_bytes(self, t: int) -> int:
        """8 k to the parent, 8 k + ceil(k / 8) to each child."""
        return self.selected_bytes(t) * (self._parent is not None) + _down_bytes(self.kept(t)) * len(self._children)

    def _merge(self, child: int, mine: Entries, childs: Entries) -> Entries:
        with self.worker.meter.work(Work.REDUCE, childs.values.nbytes):
            merged = merge(mine, childs)
        self._merges.append(_Merge(child, mine.index, childs.index, merged.index))
        return merged

    def _apply(self, x: Tensor, total: Entries, rate: float) -> None:
        with self.worker.meter.work(Work.APPLY, 2 * FLOAT_BYTES * x.numel()):
            self.update.zero_()
            self.update[total.index] = total.values / self.worker.workers
            x.sub_(self.descent.direction(x, self.update, scale=rate))


def _down(total: Entries, survives: Tensor) -> Bytes:
    """The result, and which of the receiver's entries are in it."""
    return torch.cat([entry_bytes(total), pack_flags(survives)])


def _down_bytes(k: int) -> int:
    return ENTRY_BYTES * k + packed_bytes(k, 1)
