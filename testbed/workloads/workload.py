"""A workload: a model, its data set and its loss, seen by everything else as one flat float32 vector."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar, Final, Self

import torch
from pydantic import Field
from torch import nn

from algorithms.algorithm import Layer
from algorithms.options import Options, parse_options
from algorithms.registration import Registry
from testbed.errors import UserError
from testbed.workloads.data import Batch, Dataset, DataSource, first
from testbed.workloads.evaluation import NOTHING, Evaluation, Metric, Score
from testbed.workloads.flat import FlatModel
from testbed.workloads.partition import in_order

# What a worker keeps from step to step beside its parameters, updated in place: the hidden state of a recurrent
# network, local statistics. Empty for most workloads; never exchanged, and no part of the flat vector.
State = tuple[torch.Tensor, ...]
# Options of workloads that no step's time depends on: how many samples there are, and how they are evaluated.
TIMELESS: Final = frozenset({"samples", "held_out_samples", "statistics"})


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How the workload is trained where nothing else is said: synchronous SGD with momentum."""

    learning_rate: float
    momentum: float
    weight_decay: float  # its gradient, weight_decay * x, is part of every worker's local gradient
    clip_norm: float | None = None  # a local gradient that is longer is scaled to this length, before weight decay


class WorkloadOptions(Options):
    """What a user may choose of every workload."""

    samples: int | None = Field(default=None, ge=1)  # only so many of the training samples, the first ones
    held_out_samples: int | None = Field(default=None, ge=1)  # only so many to evaluate on


class Workload(ABC):
    """One model with its data set. A new workload is a new module of this package that registers a subclass.

    Neither the data nor the model is made before it is asked for: a worker that replays recorded gradients
    needs only `layers` and `initial_parameters()`.

    Args:
        seed: of the model's initial parameters.
        source: the data set, in place of the one that `find_data` finds on this machine.
        options: an instance of the class's `Options`; None: the defaults.
        recipe: in the place of the class's.
    """

    name: ClassVar[str]
    recipe: Recipe  # the class's, which the papers have, unless an object is given one of its own
    metric: ClassVar[Metric]
    evaluation_batch: ClassVar[int] = 128  # samples at a time: memory, and no result, depends on it
    Options: ClassVar[type[WorkloadOptions]] = WorkloadOptions

    def __init__(
        self,
        *,
        seed: int = 1,
        source: DataSource | None = None,
        options: WorkloadOptions | None = None,
        recipe: Recipe | None = None,
    ) -> None:
        self.seed = seed
        self.options = options or self.Options()
        self.recipe = recipe or type(self).recipe
        self._source = source

    @abstractmethod
    def build_model(self) -> nn.Module:
        """The model with freshly initialised parameters, drawn from torch's default generator."""

    @abstractmethod
    def find_data(self) -> DataSource:
        """The data: the papers' own if they are here, else the stand-in; UserError if neither."""

    @abstractmethod
    def loss(self, model: nn.Module, batch: Batch, state: State) -> torch.Tensor:
        """The mean loss over one batch of the data set, as a scalar tensor; updates `state`."""

    @abstractmethod
    def score(self, model: nn.Module, batch: Batch, state: State) -> Score:
        """The sums over one batch of held-out data; updates `state`."""

    @abstractmethod
    def metric_of(self, score: Score) -> float:
        """The metric of all the held-out data together."""

    def new_state(self, batch_size: int, device: torch.device) -> State:
        """A worker's state before its first step."""
        del batch_size, device
        return ()

    def start_epoch(self, state: State) -> None:  # noqa: B027  # most workloads have no state
        """Change `state` where the training data begin again."""

    def attach(self, state: State) -> None:  # noqa: B027  # likewise
        """Make the model use `state` in the training pass that follows."""

    def calibrate(self, model: nn.Module, device: torch.device, states: Sequence[State]) -> None:  # noqa: B027
        """Prepare `model`, whose parameters are set, for evaluation."""

    @cached_property
    def source(self) -> DataSource:
        """Where the data are: their name and digest, without reading them."""
        return self._source or self.find_data()

    @cached_property
    def dataset(self) -> Dataset:
        """The training data, read and verified."""
        return first(self.options.samples, self.source.load())

    @cached_property
    def held_out(self) -> Dataset:
        """The data that are not trained on, read and verified."""
        return first(self.options.held_out_samples, self.source.load_held_out())

    def replica(self) -> Self:
        """The same model on the same data, for a second thread: a model is bound to one vector at a time."""
        return self.variant(seed=self.seed, recipe=self.recipe)

    def variant(self, *, seed: int, recipe: Recipe) -> Self:
        """Another model on the same data, which are read once for both."""
        dataset = self.dataset  # here, and not by several threads at once
        shared = replace(self.source, load=lambda: dataset, load_held_out=lambda: self.held_out)
        return type(self)(seed=seed, source=shared, options=self.options, recipe=recipe)

    @property
    def samples(self) -> int:
        """Training samples of the data set actually used."""
        return self.dataset.samples

    @cached_property
    def flat_model(self) -> FlatModel:
        """The model behind the flat vector, initialised from `seed`; torch's random state is untouched."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            return FlatModel(self.build_model())

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The named tensors' places in the flat vector, in its order."""
        return self.flat_model.layers

    @property
    def parameters(self) -> int:
        """N, the length of the flat vector."""
        return self.layers[-1].stop

    def initial_parameters(self) -> torch.Tensor:
        """A new float32 tensor [N]: equal for equal seeds, on every worker."""
        return self.flat_model.initial.clone()

    def gradient(
        self, x: torch.Tensor, batch: Batch, into: torch.Tensor | None = None, state: State = ()
    ) -> tuple[torch.Tensor, float]:
        """The local stochastic gradient at `x` and the batch's mean loss (without the weight decay's term).

        A pure function of its arguments, but that it moves `state` on. The model's parameters are views into
        `x`, its gradients views into `into`.

        Args:
            x: parameters, contiguous float32 [N]; read only.
            batch: as `dataset.batch` gives it.
            into: where the gradient goes, contiguous float32 [N]; a new tensor if None.
            state: the worker's, from `new_state` and every step since.
        """
        gradient = torch.empty_like(x) if into is None else into
        self.flat_model.bind(x, gradient)
        self.attach(state)
        gradient.zero_()  # backward adds to what is there
        loss = self.loss(self.flat_model.module, _on(x.device, batch), state)
        loss.backward()  # type: ignore[no-untyped-call]
        if self.recipe.clip_norm is not None:
            gradient.mul_((self.recipe.clip_norm / gradient.norm()).clamp(max=1))
        gradient.add_(x, alpha=self.recipe.weight_decay)
        return gradient, loss.item()

    def evaluate(self, x: torch.Tensor, device: torch.device, states: Sequence[State] = ()) -> Evaluation:
        """Loss and metric of the parameters `x`, float32 [N], on the held-out data, in evaluation mode.

        Args:
            x: parameters, on any device; read only.
            device: where the model runs.
            states: of the workers, for what is averaged over them (local statistics).
        """
        self.flat_model.bind(x.detach().to(device), None)
        model = self.flat_model.module.eval()
        try:
            with torch.no_grad():
                self.calibrate(model, device, states)
                total = self._total_score(model, device)
        finally:
            model.train()
        metric = self.metric_of(total)
        held_out = self.held_out
        return Evaluation(loss=total.loss / total.terms, metric=metric, samples=held_out.samples, dataset=held_out.name)

    def _total_score(self, model: nn.Module, device: torch.device) -> Score:
        batch_size = min(self.evaluation_batch, self.held_out.samples)
        state = self.new_state(batch_size, device)
        total = NOTHING
        for indices in in_order(self.held_out, batch_size):
            total += self.score(model, _on(device, self.held_out.batch(indices)), state)
        return total


def _on(device: torch.device, batch: Batch) -> Batch:
    return tuple(part.to(device) for part in batch)


registry: Registry[type[Workload]] = Registry(
    "workload", "testbed.workloads", group="gradwire.workloads", base=Workload
)


def names() -> tuple[str, ...]:
    """The workloads that a sweep may name."""
    return registry.names()


def create(
    name: str, *, seed: int = 1, source: DataSource | None = None, options: Mapping[str, Any] | None = None
) -> Workload:
    """The workload called `name`; UserError for an unknown name or option."""
    try:
        kind = registry.find(name)
        return kind(seed=seed, source=source, options=parse_options(f"workload {name}", kind.Options, options or {}))
    except ValueError as error:
        raise UserError(str(error)) from None
