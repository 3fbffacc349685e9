"""randomk: k components chosen at random, scaled up so that the mean is unbiased (Wangni et al. 2018)."""

from __future__ import annotations

import torch
from torch import Tensor

from algorithms.algorithm import ALGORITHMS, Algorithm, Step, Work, Worker
from algorithms.coder import FLOAT_BYTES, Coder
from algorithms.exchanges.ring import ring_allgather
from algorithms.exchanges.summation import SUMMATIONS, ExchangeName
from algorithms.randomness import seed_of
from algorithms.selection import (
    ENTRY_BYTES,
    Entries,
    SelectionOptions,
    entries_of,
    entry_bytes,
    kept,
    require_selectable,
)


class RandomkOptions(SelectionOptions):
    """How many components, and whether all workers choose the same."""

    shared_seed: bool = True
    """All workers choose the same indices, which need not be sent, and whose values are summed as they travel."""
    exchange: ExchangeName = "ring"
    """With a shared seed: by which pattern."""


@ALGORITHMS.register("randomk")
class Randomk(Algorithm):
    """x <- x - rate * direction(mean over workers of (N / k) z_j), z_j being k random components of g_j.

    Each is chosen with probability p = k / N and sent as z / p, so that its expectation is the gradient; the variance
    is N / k - 1 times its square. No residual. All workers hold the same x, bit for bit. State: exchange buffers.
    Bytes per worker and step: with a shared seed the exchange's of k values, ring 8 k (n-1)/n; otherwise 8 k (n-1).
    """

    name = "randomk"
    Options = RandomkOptions
    costs = (name,)  # the codec of this name makes the same choice

    def __init__(self, worker: Worker, options: RandomkOptions) -> None:
        super().__init__(worker, options)
        require_selectable(self.name, worker, options)
        self._k = kept(options, worker.parameters, 1)
        self._shared = options.shared_seed
        self._coder = Coder(worker)
        self._generator = torch.Generator(worker.device)
        kind = SUMMATIONS.find(options.exchange)
        self._sum = kind(worker.rank, worker.workers, self._k, worker.meter, worker.device)
        self._mean = torch.empty(worker.parameters, device=worker.device)

    def step(self, x: Tensor, gradient: Tensor, t: int, rate: float) -> Step:
        """Choose, sum, scale, descend."""
        self._coder.begin(t, gradient)
        with self.worker.meter.work(Work.ENCODE, FLOAT_BYTES * gradient.numel(), self.name):
            index = self._choose(t)
            chosen = Entries(index, gradient[index])
        self._mean.zero_()
        yield from self._sum_shared(chosen) if self._shared else self._gather(chosen)
        with self.worker.meter.work(Work.APPLY, 2 * FLOAT_BYTES * x.numel()):
            self._mean.mul_(x.numel() / (self._k * self.worker.workers))
            x.add_(self.descent.direction(x, self._mean), alpha=-rate)

    def declared_bytes(self, t: int) -> int:
        """The exchange's of k values, or 8 k (n-1)."""
        del t
        return self._sum.sent_bytes() if self._shared else ENTRY_BYTES * self._k * (self.worker.workers - 1)

    def selected_bytes(self, t: int) -> int:
        """4 k, or 8 k with indices."""
        del t
        return (FLOAT_BYTES if self._shared else ENTRY_BYTES) * self._k

    def _choose(self, t: int) -> Tensor:
        """Indices, ascending. The shared draws are those of a worker that there is not, one rank beyond the last."""
        worker = self.worker
        self._generator.manual_seed(seed_of(worker.seed, worker.workers if self._shared else worker.rank, t))
        order = torch.randperm(worker.parameters, generator=self._generator, device=worker.device)
        return order[: self._k].sort().values

    def _sum_shared(self, chosen: Entries) -> Step:
        yield from self._sum.sum(chosen.values)
        self._mean[chosen.index] = chosen.values

    def _gather(self, chosen: Entries) -> Step:
        rank, workers = self.worker.rank, self.worker.workers
        own = entry_bytes(chosen)
        slots = [own if peer == rank else torch.empty_like(own) for peer in range(workers)]
        yield from ring_allgather(rank, workers, slots, own=rank)
        for slot in slots:
            entries = entries_of(slot)
            with self.worker.meter.work(Work.REDUCE, entries.values.nbytes):
                self._mean.index_add_(0, entries.index, entries.values)
