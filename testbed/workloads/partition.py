"""Which samples each worker sees at each step: pure functions of the seed, registered by name."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from testbed.errors import UserError

Labels = npt.NDArray[np.int64]
Indices = npt.NDArray[np.int64]
# labels [samples], workers, samples per worker and epoch, seed, epoch -> indices [workers, samples per
# worker]
Partition = Callable[[Labels, int, int, int, int], Indices]


def partitioned(labels: Labels, workers: int, per_worker: int, seed: int, epoch: int) -> Indices:
    """Each epoch's shuffle is dealt out, no sample to two workers: independent, identically distributed."""
    shuffled = np.random.default_rng((seed, epoch)).permutation(len(labels))
    # np.resize starts the shuffle again where the last step of the epoch would otherwise have short batches
    return np.resize(shuffled, (per_worker, workers)).T


def shared(labels: Labels, workers: int, per_worker: int, seed: int, epoch: int) -> Indices:
    """Every worker draws from all the samples, by a shuffle of its own."""
    shuffles = [np.random.default_rng((seed, epoch, worker)).permutation(len(labels)) for worker in range(workers)]
    return np.stack([np.resize(shuffle, per_worker) for shuffle in shuffles])


PARTITIONS: dict[str, Partition] = {"partitioned": partitioned, "shared": shared}


class Batches:
    """Every worker's batches, full ones only; an epoch has ceil(samples / (workers * batch size)) steps.

    Args:
        labels: class of each sample, int64 [samples].
        workers: number of workers, at least 1.
        batch_size: samples per worker and step, at least 1.
        seed: of the shuffles.
        partition: a name in `PARTITIONS`.
    """

    def __init__(
        self, labels: Labels, *, workers: int, batch_size: int, seed: int, partition: str = "partitioned"
    ) -> None:
        if partition not in PARTITIONS:
            near = difflib.get_close_matches(partition, PARTITIONS, n=1) or list(PARTITIONS)
            raise UserError(f"partition is {partition!r}, must be one of {', '.join(PARTITIONS)}: try {near[0]}")
        if workers < 1 or batch_size < 1:
            raise UserError(f"workers and batch_size must be at least 1, got {workers} and {batch_size}")
        self._labels = labels
        self._workers = workers
        self._batch_size = batch_size
        self._seed = seed
        self._partition = PARTITIONS[partition]
        self._epoch: tuple[int, Indices] | None = None  # the last epoch asked for, and who sees what in it

    @property
    def steps_per_epoch(self) -> int:
        """Steps until every sample was seen once by some worker (partitioned)."""
        return math.ceil(len(self._labels) / (self._workers * self._batch_size))

    def indices(self, worker: int, step: int) -> Indices:
        """The samples of one worker's batch, int64 [batch size]; steps count from 0 through all epochs."""
        epoch, within = divmod(step, self.steps_per_epoch)
        start = within * self._batch_size
        return self._shares(epoch)[worker, start : start + self._batch_size]

    def _shares(self, epoch: int) -> Indices:
        if self._epoch is None or self._epoch[0] != epoch:
            per_worker = self.steps_per_epoch * self._batch_size
            self._epoch = (epoch, self._partition(self._labels, self._workers, per_worker, self._seed, epoch))
        return self._epoch[1]
