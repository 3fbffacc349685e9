"""What the script of a training's page draws: each system's course, by epochs, bytes, and emulated time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

import pandas as pd

from reports.emulated import Emulated, emulated, network_text
from reports.explorer.content import interval, number, system_look
from reports.explorer.training_answers import answers
from reports.quantities import bytes_text, printable, seconds_text
from reports.systems import System
from reports.training import Course, Training, trainings
from reports.view import NOTHING

CHOICES = ("workload", "workers")  # which every page offers
QUANTITIES = {"train_loss": "training loss", "held_out_loss": "held-out loss", "metric": "held-out metric"}
EPOCHS, BYTES = "epochs", "bytes handed over by a worker"


def content(table: pd.DataFrame) -> dict[str, Any]:
    """The page's data, of JSON's types only."""
    found = trainings(table)
    timed = emulated(table) if found else []
    systems = sorted({system for training in found for system in training.systems})
    numbers = {system: position for position, system in enumerate(systems)}
    keys = list(dict.fromkeys((*CHOICES, *(key for training in found for key in training.varied))))
    return {
        "choices": [{"name": key, "label": key.replace("_", " ")} for key in keys],
        "options": [{"name": "along", "label": "along"}],
        "systems": [system_look(system) for system in systems],
        "views": [
            _view(training, [shown for shown in timed if shown.training.setting == training.setting], keys, numbers)
            for training in found
        ],
    }


def _view(
    training: Training, timed: Sequence[Emulated], keys: Sequence[str], numbers: Mapping[System, int]
) -> dict[str, Any]:
    times = {_time(shown, network, len(timed) > 1): (shown, network) for shown in timed for network in shown.epoch_s}
    return {
        "name": training.name,
        "setting": {key: printable(training.setting[key]) for key in keys},
        "origin": [training.size, *training.origin],
        "answers": answers(training, timed),
        "systems": [numbers[system] for system in training.systems],
        "options": {"along": [EPOCHS, BYTES, *times]},
        "metric": "/".join(training.facts["metric_name"]) or "metric",
        "points": [
            point | {"system": numbers[system], "x": _places(point, training, system, times)}
            for system in training.systems
            for point in _points(training.courses[system])
        ],
    }


def _time(shown: Emulated, network: tuple[float, float], several: bool) -> str:
    words = f"time at {network_text(network)}"
    return f"{words}, {shown.name}" if several else words


def _points(course: Course) -> list[dict[str, Any]]:
    """A system's epochs, mean over its seeds with the least and the largest."""
    bands = {column: course.band(column) for column in QUANTITIES}
    crossed = set(course.diverged.values())
    epochs = sorted(set().union(*bands.values(), crossed))
    return [
        {
            "epoch": epoch,
            "bytes": _bytes(course, epoch),
            "state": "diverged" if epoch in crossed else "trained",
            **{column: interval(bands[column].get(epoch, NOTHING)) for column in QUANTITIES},
        }
        for epoch in epochs
    ]


def _bytes(course: Course, epoch: int) -> float | None:
    """Handed over by a worker until the end of that epoch, mean over the seeds; None where it is not recorded."""
    known = [
        found for seed in course.epochs if (found := course.values(seed, "handed_bytes_so_far").get(epoch)) is not None
    ]
    return number(fmean(known)) if known else None


def _places(
    point: Mapping[str, Any],
    training: Training,
    system: System,
    times: Mapping[str, tuple[Emulated, tuple[float, float]]],
) -> dict[str, Any]:
    """Where the epoch's end stands along each axis, as a number and as text; nothing where that is not known."""
    places: dict[str, Any] = {EPOCHS: [point["epoch"], f"{point['epoch']} of {training.setting['epochs_declared']}"]}
    if point["bytes"] is not None:
        places[BYTES] = [point["bytes"], bytes_text(point["bytes"])]
    for name, (shown, network) in times.items():
        epoch = shown.epoch_s[network].get(system)
        if epoch is not None:
            seconds = point["epoch"] * epoch.value
            places[name] = [number(seconds), seconds_text(seconds)]
    return places
