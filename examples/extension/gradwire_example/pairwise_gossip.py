"""pairwise-gossip: in every step workers average their models in random pairs (Boyd et al. 2006)."""

import numpy as np
import torch

from algorithms.algorithm import Algorithm, Exchange, Receive, Send, Step, Work
from algorithms.coder import FLOAT_BYTES, Coder


def partner_of(rank: int, workers: int, seed: int, t: int) -> int | None:
    """Whom `rank` meets in step t, which all workers draw alike; None for the one that an odd number leaves over."""
    order = np.random.default_rng([seed, t]).permutation(workers).tolist()
    place = order.index(rank) ^ 1
    return order[place] if place < workers else None


class PairwiseGossip(Algorithm):
    """x_i <- (x_i + x_j) / 2 - rate * direction(g_i(x_i)), with j the partner of i. Bytes per worker and step: B(N)."""

    name = "pairwise-gossip"

    def __init__(self, worker, options):
        super().__init__(worker, options)
        if not worker.codec.exact:
            raise ValueError(f"algorithm {self.name}: codec is {worker.codec.name}, must be an exact one such as fp32")
        self.coder = Coder(worker)
        room_bytes = worker.codec.max_bytes(worker.parameters)
        self.room = torch.empty(room_bytes, dtype=torch.uint8, device=worker.device)
        self.theirs = torch.empty(worker.parameters, device=worker.device)

    def partner(self, t: int) -> int | None:
        """This worker's, in step t."""
        return partner_of(self.worker.rank, self.worker.workers, self.worker.seed, t)

    def step(self, x: torch.Tensor, gradient: torch.Tensor, t: int, rate: float) -> Step:
        """Exchange models with the partner, average, descend."""
        self.coder.begin(t, gradient)  # refuses a gradient that is not finite
        partner = self.partner(t)
        if partner is not None:
            payload = self.coder.encode(x, "model")
            yield Exchange([Send(partner, payload)], [Receive(partner, self.room)])
            self.coder.decode(self.room, self.theirs)
        with self.worker.meter.work(Work.APPLY, FLOAT_BYTES * x.numel()):
            direction = self.descent.direction(x, gradient)
            if partner is not None:
                x.add_(self.theirs).mul_(0.5)
            x.add_(direction, alpha=-rate)

    def declared_bytes(self, t: int) -> int:
        """One payload, or none."""
        return 0 if self.partner(t) is None else self.worker.codec.payload_bytes(self.worker.parameters)
