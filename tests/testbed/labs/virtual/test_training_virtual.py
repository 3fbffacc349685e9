"""Whole trainings over the virtual lab's networks: bit for bit those of one process. Boots a guest."""

from __future__ import annotations

import threading
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
import torch

from testbed.cell import Cell
from testbed.errors import UserError
from testbed.labs.lab import CellEpoch, CellFailed, CellFinished, Event
from testbed.labs.virtual.lab import VirtualLab
from testbed.session.whole_training import worker_file
from testbed.training import kept
from testbed.training.course import Course
from testbed.training.plan import load_training
from testbed.training.trainer import Trainer
from testbed.training.trial import Trial
from testbed.workloads import create

pytestmark = [
    pytest.mark.virtual,
    pytest.mark.data,
    pytest.mark.timeout(300),
    pytest.mark.usefixtures("built_kernel"),
]

FILE = """\
workload: {name: resnet20, samples: 96, held_out_samples: 32, statistics: local}
workers: 3
batch_size: 8
epochs: 2
algorithm:
  - {name: allreduce, exchange: ring}
  - {name: dcd-psgd, codec: {name: qsgd, bits: 8}}
rate: {initial: 0.1, warmup: {epochs: 1}}
clip_norm: 5
network: {lab: virtual, bandwidth: 50 Mbit/s, latency: 1 ms}
"""


class Heard:
    """What a lab says of whole trainings, with what workers had after each epoch."""

    def __init__(self) -> None:
        self.epochs: dict[str, list[dict[str, Any]]] = defaultdict(list)
        self.xs: dict[str, list[list[torch.Tensor]]] = defaultdict(list)
        self.finished: dict[str, dict[str, Any]] = {}
        self.failed: dict[str, str] = {}

    def __call__(self, event: Event) -> None:
        if isinstance(event, CellEpoch):
            files = sorted(event.kept.iterdir())
            assert files == [worker_file(event.kept, rank) for rank in range(3)]
            self.epochs[event.cell_id].append(event.document)
            self.xs[event.cell_id].append([kept.unpacked(file.read_bytes())["x"] for file in files])
        elif isinstance(event, CellFinished):
            self.finished[event.cell_id] = event.measurement
        elif isinstance(event, CellFailed):
            self.failed[event.cell_id] = event.reason


@pytest.fixture(scope="module")
def trials(tmp_path_factory: pytest.TempPathFactory) -> list[Trial]:
    try:
        create("resnet20").source  # noqa: B018  # looks for the data
    except UserError as error:
        pytest.skip(str(error))
    path = tmp_path_factory.mktemp("training") / "trial.yaml"
    path.write_text(FILE)
    return list(load_training(path).trials)


@pytest.fixture(scope="module")
def resumed(trials: list[Trial], tmp_path_factory: pytest.TempPathFactory) -> Cell:
    """The second trial's cell, after an epoch in one process."""
    path = tmp_path_factory.mktemp("checkpoint") / "trial.pt"
    with Trainer(trials[1].alone) as trainer:
        course = Course(trainer)
        while not course.advance():
            pass
        torch.save(course.save(), path)
    return trials[1].cell(after_epochs=1, checkpoint=str(path))


@pytest.fixture(scope="module")
def heard(trials: list[Trial], resumed: Cell, built_kernel: Path) -> Heard:
    """Of one guest that trains both, and the second once more from its second epoch on."""
    heard = Heard()
    VirtualLab().run([*(trial.cell() for trial in trials), resumed], heard, threading.Event(), jobs=1)
    assert not heard.failed
    return heard


@pytest.mark.parametrize("number", [0, 1], ids=["allreduce ring", "dcd-psgd qsgd"])
def test_models_and_losses_are_bit_for_bit_those_of_one_process(trials: list[Trial], heard: Heard, number: int) -> None:
    trial = trials[number]
    documents, xs = heard.epochs[trial.cell().id], heard.xs[trial.cell().id]
    losses: list[list[float]] = []
    with Trainer(trial.alone) as trainer:
        course = Course(trainer)
        take = trainer.step
        trainer.step = lambda step: losses.append(list((taken := take(step)).losses)) or taken  # type: ignore[method-assign, func-returns-value]
        for document, models in zip(documents, xs, strict=True):
            while not course.advance():
                pass
            assert all(torch.equal(ours, theirs) for ours, theirs in zip(models, trainer.models, strict=True))
            record, steps = course.epochs[-1], len(document["losses"])
            assert document["losses"] == losses[-steps:] and steps == 4
            assert [sum(of) for of in zip(*document["handed_bytes"], strict=True)] == record["handed_bytes"]
            coded = 8 * sum(document["coded_bytes"]), sum(document["coded_components"])
            assert (coded[0] / coded[1] if coded[1] else 32) == record["bits_per_component"]
    assert course.is_over and course.diverged is None


@pytest.mark.parametrize("number", [0, 1], ids=["allreduce ring", "dcd-psgd qsgd"])
def test_every_byte_of_a_training_is_explained_and_its_time_is_its_steps(
    trials: list[Trial], heard: Heard, number: int
) -> None:
    cell = trials[number].cell()
    found = heard.finished[cell.id]["bytes"]
    assert heard.finished[cell.id]["probe"]["faithful"]
    assert found["declared_per_step"] == found["handed_per_step"] > 0
    assert found["socket_per_step"] == pytest.approx(
        found["handed_per_step"] + found["mpi_header_per_step"], rel=1e-3, abs=0
    )
    assert abs(found["interface"]["unexplained"]) < 1e-3 * found["interface"]["total"]
    for document in heard.epochs[cell.id]:
        assert document["epoch_s"] == pytest.approx(sum(document["step_s"])) and len(document["step_s"]) == 4
        # Each worker's link has to carry at least what one worker hands over, at its rate.
        assert document["epoch_s"] > 8 * max(sum(of) for of in document["handed_bytes"]) / 3 / 50e6
        parts = sum(document[f"{part}_s"] for part in ("compute", "encode", "communicate", "decode", "apply"))
        assert parts == pytest.approx(document["epoch_s"], rel=0.05)


def test_workers_go_on_from_a_checkpoint_to_the_same_models(trials: list[Trial], heard: Heard, resumed: Cell) -> None:
    (again,), (_, whole) = heard.epochs[resumed.id], heard.epochs[trials[1].cell().id]
    assert again["losses"] == whole["losses"] and again["handed_bytes"] == whole["handed_bytes"]
    ours, theirs = heard.xs[resumed.id][-1], heard.xs[trials[1].cell().id][-1]
    assert all(torch.equal(one, other) for one, other in zip(ours, theirs, strict=True))
    # The whole training's connections were warm by then, and these are new.
    assert again["epoch_s"] == pytest.approx(whole["epoch_s"], rel=0.1)
