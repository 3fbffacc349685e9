"""Where a worker's gradients come from: computed as it trains, or replayed (testbed/recording.py)."""

from __future__ import annotations

from typing import Protocol

import torch

from testbed.errors import LabError
from testbed.workloads.partition import Batches
from testbed.workloads.workload import State, Workload


class DivergedError(LabError):
    """A gradient is not finite: there is nothing to go on with."""


class GradientSource(Protocol):
    """One worker's gradients, step by step.

    Attributes:
        state: what it keeps from step to step; None before the first, and of one that keeps nothing.
    """

    state: State | None

    def next(self, step: int, x: torch.Tensor, into: torch.Tensor) -> float:
        """Write the gradient of step `step` into `into`, float32 [N], and return the batch's mean loss.

        `x` is the worker's parameters, float32 [N]; a source that replays ignores it.
        """


class LiveGradients:
    """Computes the gradient of the worker's own parameters on its own batches.

    Attributes:
        state: what the worker keeps from step to step, made at the first one on the device of its parameters.
    """

    def __init__(self, workload: Workload, batches: Batches, worker: int, state: State | None = None) -> None:
        self.state = state
        self._workload = workload
        self._batches = batches
        self._worker = worker

    def next(self, step: int, x: torch.Tensor, into: torch.Tensor) -> float:
        """The gradient at `x` on this worker's batch of that step; DivergedError if it is not finite."""
        if self.state is None:
            self.state = self._workload.new_state(self._batches.batch_size, x.device)
        if self._batches.starts_epoch(step):
            self._workload.start_epoch(self.state)
        batch = self._workload.dataset.batch(self._batches.indices(self._worker, step))
        _, loss = self._workload.gradient(x, batch, into, self.state)
        require_finite(into, worker=self._worker, step=step, workload=self._workload.name)
        return loss


def require_finite(gradient: torch.Tensor, *, worker: int, step: int, workload: str) -> None:
    """DivergedError that names worker and step if the gradient is not finite; one pass over it."""
    if not torch.isfinite(gradient.sum()):  # a NaN or an infinity survives the sum
        raise DivergedError(
            f"gradient of worker {worker} at step {step} of {workload} is not finite: "
            "training diverged, lower the learning rate"
        )
