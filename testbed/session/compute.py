"""How long each worker of a cell computes, and how long its network takes to fall quiet."""

from __future__ import annotations

import functools

import numpy as np
import numpy.typing as npt

from testbed import profiles
from testbed.cell import Cell
from testbed.profiles import compute_draws
from testbed.profiles.profile import Profile

QUIET_ROUND_TRIPS = 4
QUIET_AT_LEAST_S = 0.5  # beyond delayed acknowledgements (40 ms) and the shortest retransmission time-out (200 ms)

_load = functools.cache(profiles.load)  # reading and checking one takes longer than a step


def profile_of(cell: Cell) -> Profile:
    """What work takes on the cell's device."""
    return profiles.own(cell.device) if cell.computes_here else _load(cell.device)


class Compute:
    """A cell's seconds of compute, by its device's profile.

    Attributes:
        mean_s: of each worker's step.
    """

    def __init__(self, cell: Cell, profile: Profile) -> None:
        self._cell = cell
        self._profile = profile
        self._slowness = [cell.compute_scale * _slowness(cell, rank) for rank in range(cell.network.workers)]
        mean_s = profile.mean_compute_s(cell.workload, cell.batch_size)
        self.mean_s = [mean_s * factor for factor in self._slowness]

    def draws(self, repetition: int, steps: int) -> npt.NDArray[np.float64]:
        """Seconds [worker, step], drawn for that repetition, or that epoch counted from 0."""
        cell = self._cell
        seconds = compute_draws(
            self._profile, cell.workload, cell.batch_size, cell.network.workers, steps, cell.seed, repetition
        )
        slower: npt.NDArray[np.float64] = seconds * np.reshape(self._slowness, (-1, 1))
        return slower


def quiet_s(cell: Cell) -> float:
    """After which nothing that a worker sent is in flight any more."""
    return max(QUIET_AT_LEAST_S, QUIET_ROUND_TRIPS * _longest_latency_s(cell))


def _slowness(cell: Cell, rank: int) -> float:
    """How many times as long as the others a worker computes."""
    slow = cell.slow_worker
    return slow.compute if slow is not None and slow.worker == rank else 1.0


def _longest_latency_s(cell: Cell) -> float:
    """Of all that the cell's links have at some time."""
    own = [link.latency_s or 0.0 for link in cell.network.own_links]
    later = [change.latency_s or 0.0 for change in cell.schedule]
    return max(cell.network.latency_s, *own, *later, 0.0)
