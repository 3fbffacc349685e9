"""Synchronous SGD of all the workers in one process: what the recorded gradients come from."""

from __future__ import annotations

import os
import queue
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Self

import numpy as np
import numpy.typing as npt
import torch

from testbed.workloads.gradients import LiveGradients
from testbed.workloads.partition import Batches
from testbed.workloads.workload import Workload


class SynchronousTraining:
    """x <- x - rate * v, v <- momentum * v + the mean of the workers' gradients at x.

    Workers are spread over threads, one for each core, and each gradient is computed by one thread alone:
    on a busy machine that is several times as fast as two threads that wait for each other inside every
    layer, and the numbers do not depend on how many cores there are.

    Attributes:
        x: parameters, float32 [N].
        velocity: v, float32 [N].
        gradients: the workers' local gradients of the last step, float32 [workers, N].
    """

    def __init__(self, workload: Workload, batches: Batches, workers: int) -> None:
        self.workload = workload
        self.x = workload.initial_parameters()
        self.velocity = torch.zeros_like(self.x)
        self.gradients = torch.empty((workers, self.x.numel()))
        self._batches = batches
        self._idle: queue.SimpleQueue[Workload] = queue.SimpleQueue()

    def __enter__(self) -> Self:
        cores = min(len(os.sched_getaffinity(0)), len(self.gradients))
        for _ in range(cores):
            self._idle.put(self.workload.replica())
        self._threads_before = torch.get_num_threads()
        torch.set_num_threads(1)  # before the threads start: each takes the setting over
        self._pool = ThreadPoolExecutor(cores)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown(cancel_futures=True)
        torch.set_num_threads(self._threads_before)

    def restore(self, x: npt.NDArray[np.float32], velocity: npt.NDArray[np.float32]) -> None:
        """Continue from a checkpoint."""
        self.x.copy_(torch.from_numpy(x))
        self.velocity.copy_(torch.from_numpy(velocity))

    def step(self, step: int) -> list[float]:
        """Take one step and return each worker's loss before it; LabError if a gradient is not finite."""
        self._batches.indices(0, step)  # the epoch's shuffle is made here, not by all threads at once
        losses = list(self._pool.map(lambda worker: self._gradient(worker, step), range(len(self.gradients))))
        self.velocity.mul_(self.workload.recipe.momentum).add_(self.gradients.mean(0))
        self.x.sub_(self.velocity, alpha=self.workload.recipe.learning_rate)
        return losses

    def _gradient(self, worker: int, step: int) -> float:
        replica = self._idle.get()
        try:
            return LiveGradients(replica, self._batches, worker).next(step, self.x, self.gradients[worker])
        finally:
            self._idle.put(replica)
