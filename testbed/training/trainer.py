"""All workers of a trial in this process: real algorithms and codecs, whose messages are copied from one to another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import torch
from torch import Tensor

from algorithms import lockstep
from algorithms.finite import UnsendableError
from testbed.training.coded import Coded
from testbed.training.models import batches_of, create_algorithm, workload_of
from testbed.training.selection import Selection
from testbed.training.trial import Trial
from testbed.workloads.all_workers import AllWorkers
from testbed.workloads.evaluation import Evaluation
from testbed.workloads.gradients import DivergedError


@dataclass(frozen=True, kw_only=True)
class Taken:
    """What happened in a step.

    Attributes:
        losses: of each worker's batch, before the step.
        handed_bytes: by each worker.
        coded_bytes: of all payloads that codecs made, whoever they were sent to.
        coded_components: of the vectors that they were made of.
        delta: Shi's, by layer, of an epoch's last step; empty where the algorithm selects nothing.
    """

    losses: Sequence[float]
    handed_bytes: Sequence[int]
    coded_bytes: int
    coded_components: int
    delta: Mapping[str, float | None]


@dataclass(frozen=True, kw_only=True)
class Standing:
    """How the models are at the end of an epoch.

    Attributes:
        evaluation: of the mean of the workers' models.
        consensus_distance: root of the mean over workers of |x_i - mean|^2.
    """

    evaluation: Evaluation
    consensus_distance: float


class Trainer:
    """Takes a trial's steps. Equal trials give equal numbers, on any number of cores."""

    def __init__(self, trial: Trial, threads: int | None = None) -> None:
        """`threads` compute gradients; None: one a core."""
        self.trial = trial
        self.device = torch.device(trial.device)
        self.workload = workload_of(trial)
        batches = batches_of(trial, self.workload)
        self.steps_per_epoch = batches.steps_per_epoch
        self._coded = Coded()
        self._algorithms = [
            create_algorithm(
                trial, self.workload, rank, self.steps_per_epoch, self._coded, announce=self._coded.announce
            )
            for rank in range(trial.workers)
        ]
        self._xs = [self.workload.initial_parameters().to(self.device) for _ in range(trial.workers)]
        self._workers = AllWorkers(self.workload, batches, trial.workers, self.device, threads)
        self._exactly = _exactly(self.device)

    def __enter__(self) -> Self:
        self._exactly.__enter__()
        self._workers.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._workers.__exit__(kind, error, trace)
        self._exactly.__exit__(kind, error, trace)

    def step(self, step: int) -> Taken:
        """Take a step, counted from 0; DivergedError where a vector is not finite."""
        components, size_bytes = self._coded.components, self._coded.size_bytes
        losses = self._workers.compute(step, self._xs)
        gradients, rate = list(self._workers.gradients), self.trial.rate.at(step, self.steps_per_epoch)
        ends_epoch = (step + 1) % self.steps_per_epoch == 0
        selection = Selection.of(self._algorithms, gradients, rate) if ends_epoch else None
        try:
            traffic = lockstep.step_all(self._algorithms, self._xs, gradients, step + 1, rate)
        except UnsendableError as error:
            raise DivergedError(str(error)) from None
        selected = sum(algorithm.selected_bytes(step + 1) or 0 for algorithm in self._algorithms)
        return Taken(
            losses=losses,
            handed_bytes=traffic.handed_bytes,
            coded_bytes=self._coded.size_bytes - size_bytes + selected,
            coded_components=self._coded.components - components,
            delta={} if selection is None else selection.delta(self.workload.layers),
        )

    def standing(self) -> Standing:
        """The mean model on the held-out data, and how far the workers' are from it; DivergedError as `step`."""
        mean = torch.zeros_like(self._xs[0], dtype=torch.float64)
        for x in self._xs:
            mean.add_(x, alpha=1 / len(self._xs))
        square = sum(float((x.double() - mean).square().sum()) for x in self._xs) / len(self._xs)
        try:
            evaluation = self.workload.evaluate(mean.float(), self.device, self._workers.states)
        except OverflowError:  # of a metric that is an exponential of the loss
            raise DivergedError("the loss on held-out data is beyond all numbers") from None
        return Standing(evaluation=evaluation, consensus_distance=square**0.5)

    def save(self) -> dict[str, Any]:
        """All that the next step depends on: tensors, no copies."""
        algorithms = [algorithm.save() for algorithm in self._algorithms]
        return {"xs": self._xs, "algorithms": algorithms, "states": self._workers.save()}

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Go on where the trainer whose `save` this is would."""
        for x, kept in zip(self._xs, saved["xs"], strict=True):
            x.copy_(kept)
        for algorithm, state in zip(self._algorithms, saved["algorithms"], strict=True):
            algorithm.restore(state)
        self._workers.restore(saved["states"])

    @property
    def formula_bits_per_component(self) -> float:
        """What a whole vector takes by the formula of the codec, or of what is selected, in the last step."""
        algorithm, parameters = self._algorithms[0], self.workload.parameters
        selected = algorithm.selected_bytes(self.trial.epochs * self.steps_per_epoch)
        size_bytes = algorithm.worker.codec.payload_bytes(parameters) if selected is None else selected
        return 8 * size_bytes / parameters

    @property
    def models(self) -> Sequence[Tensor]:
        """The workers' parameters, float32 [N] each."""
        return self._xs


@contextmanager
def _exactly(device: torch.device) -> Iterator[None]:
    """The same numbers every time on a GPU too, for some of its speed."""
    if device.type == "cpu":
        yield
        return
    cudnn = torch.backends.cudnn
    before = cudnn.deterministic, cudnn.benchmark, torch.are_deterministic_algorithms_enabled()
    cudnn.deterministic, cudnn.benchmark = True, False
    torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        yield
    finally:
        cudnn.deterministic, cudnn.benchmark = before[:2]
        torch.use_deterministic_algorithms(before[2])
