"""The gradients of all the workers in one process."""

from __future__ import annotations

import os
import queue
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from types import TracebackType
from typing import Self

import torch

from testbed.workloads.gradients import LiveGradients
from testbed.workloads.partition import Batches
from testbed.workloads.threads import one_thread
from testbed.workloads.workload import State, Workload


def state_name(worker: int, index: int) -> str:
    """What part of a worker's state is called where all of them are kept."""
    return f"state-{worker}-{index}"


class AllWorkers:
    """Computes every worker's gradient at its own parameters on its own batch.

    Workers are spread over threads, by default one for each core, and each gradient is computed by one thread alone:
    on a busy machine that is several times as fast as two threads that wait for each other inside every
    layer, and the numbers do not depend on how many cores there are. On a GPU they come one after another.

    Attributes:
        gradients: the workers' local gradients of the last step, float32 [workers, N].
        states: what each worker keeps from step to step.
    """

    def __init__(
        self, workload: Workload, batches: Batches, workers: int, device: torch.device, threads: int | None = None
    ) -> None:
        """`threads`: None for one a core."""
        self.gradients = torch.empty((workers, workload.parameters), device=device)
        self.states: list[State] = [workload.new_state(batches.batch_size, device) for _ in range(workers)]
        self._workload = workload
        self._batches = batches
        threads = len(os.sched_getaffinity(0)) if threads is None else threads
        self._threads = min(threads, workers) if device.type == "cpu" else 1
        self._idle: queue.SimpleQueue[Workload] = queue.SimpleQueue()
        self._one_thread = ExitStack()

    def __enter__(self) -> Self:
        for _ in range(self._threads):
            self._idle.put(self._workload.replica())
        self._one_thread.enter_context(one_thread())  # before the threads start
        self._pool = ThreadPoolExecutor(self._threads)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown(cancel_futures=True)
        self._one_thread.close()

    def compute(self, step: int, xs: Sequence[torch.Tensor]) -> list[float]:
        """Fill `gradients` with those of a step, at each worker's own x, float32 [N]; the losses of their batches.

        DivergedError if a gradient is not finite.
        """
        self._batches.indices(0, step)  # the epoch's shuffle is made here, not by all threads at once
        return list(self._pool.map(lambda worker: self._gradient(worker, step, xs[worker]), range(len(xs))))

    def save(self) -> dict[str, torch.Tensor]:
        """The states' tensors by name; no copies."""
        return dict(self._state_parts())

    def restore(self, saved: Mapping[str, torch.Tensor]) -> None:
        """Put back what `save` took."""
        for name, part in self._state_parts():
            part.copy_(saved[name])

    def _state_parts(self) -> Iterator[tuple[str, torch.Tensor]]:
        for worker, state in enumerate(self.states):
            for index, part in enumerate(state):
                yield state_name(worker, index), part

    def _gradient(self, worker: int, step: int, x: torch.Tensor) -> float:
        replica = self._idle.get()
        try:
            live = LiveGradients(replica, self._batches, worker, self.states[worker])
            return live.next(step, x, self.gradients[worker])
        finally:
            self._idle.put(replica)
