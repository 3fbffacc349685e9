"""What a worker trains in a cell: its model's parameters, and where its gradients come from.

`cell.gradients` chooses: replayed from a recording, computed as it trains, or none (a constant, where the time of the
exchange does not depend on values). Another way to have gradients is another function here and a line in TRAININGS.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from algorithms.algorithm import Layer
from testbed.cell import Cell
from testbed.errors import LabError
from testbed.recording import RecordedGradients, Recording
from testbed.training import models
from testbed.training.trial import Trial
from testbed.workloads import create as create_workload
from testbed.workloads.gradients import GradientSource, LiveGradients
from testbed.workloads.outline import VECTOR_PREFIX, outline
from testbed.workloads.partition import Batches
from testbed.workloads.workload import State

RATE = 0.1  # the recipe's learning rate; no time depends on it
CONSTANT = 1e-3  # of a constant gradient: no time depends on it, and no number of steps makes it overflow


@dataclass(frozen=True, kw_only=True)
class Training:
    """One worker's part in training."""

    source: GradientSource
    x: torch.Tensor  # float32 [N], this worker's replica
    layers: tuple[Layer, ...]
    samples: int  # of the data set
    dataset: str
    rate: Callable[[int], float] = lambda _: RATE  # by step, counted from 0
    options: Mapping[str, Any] = field(default_factory=dict)  # of the algorithm, beside the cell's


class ConstantGradients:
    """The same small gradient at every step, at no cost."""

    state: State | None = None

    def __init__(self) -> None:
        self._filled: torch.Tensor | None = None  # where the gradient is: nobody changes one, so it stays

    def next(self, step: int, x: torch.Tensor, into: torch.Tensor) -> float:  # noqa: ARG002  # the same, whatever they are
        """Fill `into`, float32 [N]; there is no loss, so 0."""
        if self._filled is not into:
            self._filled = into.fill_(CONSTANT)
        return 0.0


def create_training(cell: Cell, recording: str | None, rank: int) -> Training:
    """The training of worker `rank`. `recording`: folder of the gradients, for a cell that replays them."""
    if cell.training is not None:
        return _whole(Trial.from_json(cell.training.trial), rank)
    return TRAININGS[cell.gradients](cell, recording, rank)


@functools.cache
def _opened(folder: str) -> Recording:
    """A recording, open for as long as this worker lives: cell after cell replays it."""
    return Recording(Path(folder))


def _recorded(cell: Cell, recording: str | None, rank: int) -> Training:
    if recording is None:
        raise LabError(f"cell {cell.id} replays gradients, but its lab recorded none")
    opened = _opened(recording)
    return Training(
        source=RecordedGradients(opened, rank),
        x=torch.from_numpy(opened.initial_parameters()),
        layers=opened.layers,
        samples=opened.samples,
        dataset=opened.dataset,
    )


def _live(cell: Cell, recording: str | None, rank: int) -> Training:
    del recording
    workload = create_workload(cell.workload, seed=cell.seed, options=cell.workload_options)
    batches = Batches(
        workload.dataset,
        workers=cell.network.workers,
        batch_size=cell.batch_size,
        seed=cell.seed,
        partition=cell.partition,
        alpha=cell.alpha,
    )
    return Training(
        source=LiveGradients(workload, batches, rank),
        x=workload.initial_parameters(),
        layers=workload.layers,
        samples=workload.samples,
        dataset=workload.source.name,
    )


def _whole(trial: Trial, rank: int) -> Training:
    """One worker's part of what testbed/training/trainer.py has of all of them."""
    workload = models.workload_of(trial)
    batches = models.batches_of(trial, workload)
    steps = batches.steps_per_epoch
    return Training(
        source=LiveGradients(workload, batches, rank),
        x=workload.initial_parameters(),
        layers=workload.layers,
        samples=workload.samples,
        dataset=workload.source.name,
        rate=lambda step: trial.rate.at(step, steps),
        options=models.density_warmup(trial, steps),
    )


def _none(cell: Cell, recording: str | None, rank: int) -> Training:
    """A workload's layers, all zero; of `vector-<N>` as many samples as one step takes, so that an epoch is a step."""
    del recording
    layers = outline(cell.workload)
    dataset, samples = "none", cell.network.workers * cell.batch_size
    if not cell.workload.startswith(VECTOR_PREFIX):
        dataset, samples = _data(cell) if rank == 0 else (dataset, 0)  # what worker 0 says counts
    return Training(
        source=ConstantGradients(),
        x=torch.zeros(layers[-1].stop),
        layers=layers,
        samples=samples,
        dataset=dataset,
    )


def _data(cell: Cell) -> tuple[str, int]:
    """Name and samples of a workload's data set, which is read for that."""
    created = create_workload(cell.workload, options=cell.workload_options)
    return created.source.name, created.samples


TRAININGS: dict[str, Callable[[Cell, str | None, int], Training]] = {
    "recorded": _recorded,
    "live": _live,
    "none": _none,
}
