"""What decentralized algorithms share.

A mixing graph that fits, and an exchange with the neighbours in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from algorithms.algorithm import Algorithm, Work, Worker
from algorithms.coder import FLOAT_BYTES, Coder
from algorithms.exchanges.neighbours import NeighbourExchange


class Decentralized(Algorithm):
    """Base of the algorithms that average with neighbours in a graph. Bytes: degree x B(N), once per step."""

    def __init__(self, worker: Worker, options: Any) -> None:
        super().__init__(worker, options)
        if worker.graph is None or worker.graph.workers != worker.workers:
            got = "none" if worker.graph is None else f"{worker.graph.name} of {worker.graph.workers}"
            raise ValueError(f"algorithm {self.name}: graph is {got}, must have {worker.workers} workers; give one")
        self.graph = worker.graph
        self.neighbours = worker.graph.neighbours(worker.rank)
        self.coder = Coder(worker)
        room_bytes = worker.codec.max_bytes(worker.parameters)
        fixed = worker.codec.payload_bytes(worker.parameters) == room_bytes
        self.exchange = NeighbourExchange(self.neighbours, room_bytes, worker.device, fixed=fixed)

    def declared_bytes(self, t: int) -> int:
        """degree x B(N)."""
        del t  # every step alike
        return len(self.neighbours) * self.worker.codec.payload_bytes(self.worker.parameters)

    def mix(self, models: Mapping[int, Tensor], out: Tensor) -> None:
        """out = sum_j W_ij models[j], over this worker and its neighbours in the order of ranks."""
        first, *others = sorted(models)
        with self.worker.meter.work(Work.APPLY, FLOAT_BYTES * out.numel() * len(models)):
            out.copy_(models[first]).mul_(self._weight(first))
            for peer in others:
                out.add_(models[peer], alpha=self._weight(peer))

    def descend(self, out: Tensor, x: Tensor, gradient: Tensor, rate: float) -> None:
        """out -= rate * direction(x, gradient)."""
        with self.worker.meter.work(Work.APPLY, FLOAT_BYTES * x.numel()):
            out.add_(self.descent.direction(x, gradient), alpha=-rate)

    def _weight(self, peer: int) -> float:
        return self.graph.weight(self.worker.rank, peer)
