"""A workload: a model, its data set and its loss, seen by everything else as one flat float32 vector."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from functools import cached_property
from typing import ClassVar, Self

import torch
from torch import nn

from algorithms.algorithm import Layer
from algorithms.registration import Registry
from testbed.errors import UserError
from testbed.workloads.data import Dataset, DataSource
from testbed.workloads.flat import FlatModel


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How the workload is trained where nothing else is said: synchronous SGD with momentum."""

    learning_rate: float
    momentum: float
    weight_decay: float  # its gradient, weight_decay * x, is part of every worker's local gradient


class Workload(ABC):
    """One model with its data set. A new workload is a new module of this package that registers a subclass.

    Neither the data nor the model is made before it is asked for: a worker that replays recorded gradients
    needs only `layers` and `initial_parameters()`.

    Args:
        seed: of the model's initial parameters.
        source: the data set, in place of the one that `find_data` finds on this machine.
    """

    name: ClassVar[str]
    recipe: ClassVar[Recipe]

    def __init__(self, *, seed: int = 1, source: DataSource | None = None) -> None:
        self.seed = seed
        self._source = source

    @abstractmethod
    def build_model(self) -> nn.Module:
        """The model with freshly initialised parameters, drawn from torch's default generator."""

    @abstractmethod
    def find_data(self) -> DataSource:
        """The training data: the papers' own if they are here, else the stand-in; UserError if neither."""

    @abstractmethod
    def loss(self, model: nn.Module, inputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """The mean loss over one batch, as a scalar tensor."""

    @cached_property
    def source(self) -> DataSource:
        """Where the data are: their name and digest, without reading them."""
        return self._source or self.find_data()

    @cached_property
    def dataset(self) -> Dataset:
        """The data, read and verified."""
        return self.source.load()

    def replica(self) -> Self:
        """The same model on the same data, for a second thread: a model is bound to one vector at a time."""
        dataset = self.dataset
        return type(self)(seed=self.seed, source=replace(self.source, load=lambda: dataset))

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
        self, x: torch.Tensor, batch: tuple[torch.Tensor, torch.Tensor], into: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, float]:
        """The local stochastic gradient at `x` and the batch's mean loss (without the weight decay's term).

        A pure function of its arguments. The model's parameters are views into `x`, its gradients views
        into `into`.

        Args:
            x: parameters, contiguous float32 [N]; read only.
            batch: inputs and targets, as `dataset.batch` gives them.
            into: where the gradient goes, contiguous float32 [N]; a new tensor if None.
        """
        gradient = torch.empty_like(x) if into is None else into
        self.flat_model.bind(x, gradient)
        gradient.zero_()  # backward adds to what is there
        inputs, targets = batch
        loss = self.loss(self.flat_model.module, inputs.to(x.device), targets.to(x.device))
        loss.backward()  # type: ignore[no-untyped-call]
        gradient.add_(x, alpha=self.recipe.weight_decay)
        return gradient, loss.item()


registry: Registry[type[Workload]] = Registry("workload", "testbed.workloads")


def names() -> tuple[str, ...]:
    """The workloads that a sweep may name."""
    return registry.names()


def create(name: str, *, seed: int = 1, source: DataSource | None = None) -> Workload:
    """The workload called `name`; UserError with the nearest name if there is none."""
    try:
        return registry.find(name)(seed=seed, source=source)
    except ValueError as error:
        raise UserError(str(error)) from None
