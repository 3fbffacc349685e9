"""A training's table as figures need it: a training per setting, in it a course per system."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

import pandas as pd

from reports.quantities import printable
from reports.systems import System
from reports.view import NOTHING, Interval, by_setting, tried_rows

SETTING = (
    "workload", "workload_options", "workers", "batch_size", "partition", "epochs_declared", "rate_schedule", "device",
)  # fmt: skip
FACTS = ("dataset", "samples", "held_out_samples", "metric_name")
LARGEST_DELTA = "largest_delta"  # a column of our own: Shi's delta, of the layer where it is largest
REQUIRED = (*SETTING, *FACTS, "trial", "algorithm", "codec", "seed", "epoch", "status", "train_loss")
WORDING = {"workers": "{} workers", "batch_size": "batches of {}", "epochs_declared": "{} epochs"}

Row = Mapping[Any, Any]  # an epoch, by column


@dataclass(frozen=True, kw_only=True)
class Course:
    """One system's training: of each seed its epochs, in order, and how it ended."""

    epochs: Mapping[int, Sequence[Row]]
    status: Mapping[int, str]
    diverged: Mapping[int, int]  # by seed: the epoch

    def values(self, seed: int, column: str) -> dict[int, float]:
        """A column's known numbers by epoch."""
        rows = self.epochs.get(seed, ())
        return {int(row["epoch"]): float(row[column]) for row in rows if not pd.isna(row[column])}

    def last(self, seed: int, column: str) -> float:
        """The number of the last epoch; infinite where the seed diverged, nan where it has not ended."""
        if self.status[seed] == "diverged":
            return math.inf
        known = self.values(seed, column)
        return known[max(known)] if known and self.status[seed] == "ok" else math.nan

    def band(self, column: str) -> dict[int, Interval]:
        """By epoch: mean, least and largest of the seeds that got so far."""
        by_epoch: dict[int, list[float]] = defaultdict(list)
        for seed in self.epochs:
            for epoch, value in self.values(seed, column).items():
                by_epoch[epoch].append(value)
        return {epoch: Interval(fmean(v), min(v), max(v)) for epoch, v in sorted(by_epoch.items())}


@dataclass(frozen=True, kw_only=True)
class Training:
    """The part of a training's table that one figure can show: equal in everything but system and seed."""

    setting: Mapping[str, Any]
    facts: Mapping[str, tuple[str, ...]]
    varied: tuple[str, ...]  # the setting's keys in which the table's trainings differ
    courses: Mapping[System, Course]

    @property
    def systems(self) -> list[System]:
        """All systems, allreduce first."""
        return sorted(self.courses, key=lambda s: (s.algorithm != "allreduce", s))

    @property
    def seeds(self) -> list[int]:
        """Of all systems."""
        return sorted({seed for course in self.courses.values() for seed in course.status})

    @property
    def name(self) -> str:
        """Workload and workers, then whatever else tells it from the table's others."""
        keys = dict.fromkeys(("workload", "workers", *self.varied))
        return ", ".join(printable(WORDING.get(key, "{}").format(self.setting[key])) for key in keys)

    @property
    def size(self) -> str:
        """How much was trained, in words: what was cut shows here."""
        samples, held_out = ("/".join(self.facts[key]) or "?" for key in ("samples", "held_out_samples"))
        data = "/".join(self.facts["dataset"]) or "unknown data"
        setting = self.setting
        return printable(
            f"{self._model} on {samples} samples of {data}, {held_out} held out; {setting['workers']} workers, "
            f"batches of {setting['batch_size']} each, {setting['epochs_declared']} epochs"
        )

    @property
    def _model(self) -> str:
        """The workload, with the options that say what was cut of its model."""
        options = json.loads(str(self.setting["workload_options"]) or "{}")
        words = [f"{key} {value}" for key, value in options.items() if "samples" not in key]
        return f"{self.setting['workload']}{' with ' * bool(words)}{', '.join(words)}"

    @property
    def basis(self) -> str:
        """What a judgement rests on whose numbers lie in their targets."""
        return f" in each of {len(self.seeds)} seeds"

    @property
    def origin(self) -> list[str]:
        """For a figure's foot, below a note that has the size."""
        seeds = ", ".join(str(seed) for seed in self.seeds)
        rows = [rows[-1] for course in self.courses.values() for rows in course.epochs.values()]
        labs = sorted({str(row["lab"]) for row in rows if _is_networked(row)})
        where = f"over networks of the {'/'.join(labs)} lab" if labs else f"in one process on {self.setting['device']}"
        return [f"seeds {seeds}", f"trained {where}"]

    def of(self, algorithm: str, codec: str | None = None, **options: float) -> System | None:
        """The one system with that algorithm, codec, bits and other options, as its name has them; else None."""
        bits = int(options.pop("bits", 0))
        wanted = {f"{key}={value}" for key, value in options.items()}
        found = [
            s for s in self.systems
            if s.algorithm == algorithm and codec in (None, s.codec) and bits in (0, s.bits)
            and wanted <= set(s.variant.split())
        ]  # fmt: skip
        return found[0] if len(found) == 1 else None


def trainings(table: pd.DataFrame) -> list[Training]:
    """The table's trainings, in order of their settings; none for a table in which nothing was trained yet."""
    return [training for training, _ in with_rows(table)]


def with_rows(table: pd.DataFrame) -> list[tuple[Training, pd.DataFrame]]:
    """Each training and its rows, of all networks, with each row's system in `_system`."""
    rows = tried_rows(table, REQUIRED)
    if rows.empty:
        return []
    groups, varied = by_setting(rows, SETTING)
    return [(_training(setting, group, varied), group) for setting, group in groups]


def _training(setting: Mapping[str, Any], group: pd.DataFrame, varied: tuple[str, ...]) -> Training:
    group = group.drop_duplicates(["trial", "epoch"])  # once, whatever networks it has
    by_system: dict[System, list[Row]] = defaultdict(list)
    for row in group.to_dict("records"):
        by_system[row["_system"]].append(row | {LARGEST_DELTA: _largest(row.get("delta"))})
    facts = {key: tuple(dict.fromkeys(_text(value) for value in group[key].dropna())) for key in FACTS}
    courses = {system: _course(rows) for system, rows in by_system.items()}
    return Training(setting=setting, facts=facts, varied=varied, courses=courses)


def _course(rows: Sequence[Row]) -> Course:
    by_trial: dict[tuple[int, str], list[Row]] = defaultdict(list)
    for row in sorted(rows, key=lambda row: int(row["epoch"])):
        by_trial[int(row["seed"]), str(row["trial"])].append(row)
    by_seed: dict[int, list[Row]] = {}
    for (seed, _), of in by_trial.items():  # networks change no loss: of a seed's trials, the one that came farthest
        by_seed[seed] = max(by_seed.get(seed, []), of, key=len)
    return Course(
        epochs=by_seed,
        status={seed: str(of[-1]["status"]) for seed, of in by_seed.items()},
        diverged={seed: int(of[-1]["epoch"]) for seed, of in by_seed.items() if of[-1]["status"] == "diverged"},
    )


def _is_networked(row: Row) -> bool:
    """Whether its loss came over a network: a time that was composed says nothing of that."""
    timing = row.get("timing")
    return isinstance(timing, str) and timing != "composed"


def _text(value: object) -> str:
    return f"{value:,.0f}" if isinstance(value, float) else printable(value)


def over_seeds(values: Sequence[float]) -> Interval:
    """Mean, least and largest; nothing where one is not known."""
    if not values or any(math.isnan(value) for value in values):
        return NOTHING
    return Interval(fmean(values), min(values), max(values))


def _largest(delta: str | None) -> float:
    """Of a row's deltas by layer, written as JSON; infinite where one is, nan where there is none."""
    layers = json.loads(delta) if delta else {}
    return max((math.inf if value is None else float(value) for value in layers.values()), default=math.nan)
