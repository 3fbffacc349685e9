"""A run's table as figures need it: a view per setting, in it a point per system and network."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

import pandas as pd

from reports.quantities import TIMES, printable
from reports.systems import System, systems
from reports.timeline import Timeline, read
from testbed.errors import UserError

PARTS = ("compute", "encode", "communicate", "decode", "apply")
SETTING = ("lab", "topology", "workers", "workload", "device", "compute_scale")
# Columns that make a setting only where cells that are otherwise equal differ in them.
EXTRA_SETTING = (
    "containers",
    "workload_options",
    "partition",
    "alpha",
    "batch_size",
    "arity",
    "trunk_bit_per_s",
    "jitter_s",
    "loss",
    "queue_bytes",
    "slow_start_after_idle",
    "full_epoch",
    "gradients",
    "straggler",
    "schedule",
    "capture",
)
REQUIRED = (*SETTING, "bandwidth_bit_per_s", "latency_s", "algorithm", "codec", "seed", "status", "epoch_s",
            "epoch_ci95_s", "communicate_s", "faithful")  # fmt: skip
WORDING = {
    "topology": "{}",
    "workers": "{} workers",
    "compute_scale": f"compute {TIMES}{{:g}}",
    "lab": "{} lab",
    "batch_size": "batch {}",
}

GRADIENTS = {"none": "constant"}  # what a cell's word is in a sentence

Network = tuple[float, float]  # bandwidth_bit_per_s, latency_s
Row = Mapping[Any, Any]  # a cell, by column


@dataclass(frozen=True)
class Interval:
    """A value and the ends of its 95 % interval; nan where there is none."""

    value: float
    low: float
    high: float

    def over(self, other: Interval) -> Interval:
        """The quotient, with the widest interval that the two intervals admit; both positive."""
        return Interval(
            _quotient(self.value, other.value),
            _quotient(self.low, other.high),
            _quotient(self.high, other.low),
        )

    def overlaps(self, other: Interval) -> bool:
        """Whether the two may be equal."""
        return self.low <= other.high and other.low <= self.high


NOTHING = Interval(math.nan, math.nan, math.nan)


@dataclass(frozen=True, kw_only=True)
class Point:
    """One system on one network, over its seeds. A failed point has no epoch and says why."""

    epoch_s: Interval
    parts_s: Mapping[str, float]  # per step, by PARTS; nan where the table has none
    declared_bytes_per_step: float
    repetitions: float  # the least over its seeds; nan where the table does not say
    faithful: bool
    reason: str = ""
    timelines: tuple[Timeline, ...] = ()  # of its seeds that have a schedule
    rows: tuple[Row, ...] = ()  # its cells, a seed each

    @property
    def failed(self) -> bool:
        """Whether no seed of it was measured."""
        return math.isnan(self.epoch_s.value)


@dataclass(frozen=True, kw_only=True)
class View:
    """The part of a run that one figure can show: equal in everything but system and network."""

    setting: Mapping[str, Any]
    facts: Mapping[str, tuple[str, ...]]  # of its cells, for the footer: dataset, device_kind, batch_size, ...
    varied: tuple[str, ...]  # the setting's keys in which the run's views differ
    points: Mapping[System, Mapping[Network, Point]]

    @property
    def systems(self) -> list[System]:
        """All systems, allreduce first, so that legends and bars have one order."""
        return sorted(self.points, key=lambda s: (s.algorithm != "allreduce", s))

    @property
    def bandwidths(self) -> list[float]:
        """Bit/s, rising."""
        return sorted({network[0] for points in self.points.values() for network in points})

    @property
    def latencies(self) -> list[float]:
        """Seconds, rising."""
        return sorted({network[1] for points in self.points.values() for network in points})

    @property
    def measured(self) -> bool:
        """Whether any of its cells was."""
        return any(not point.failed for points in self.points.values() for point in points.values())

    @property
    def baseline(self) -> System | None:
        """What speed-ups are over: allreduce in fp32, its plainest variant that was measured at all."""
        plain = (s for s in sorted(self.points) if (s.algorithm, s.codec) == ("allreduce", "fp32"))
        return next((s for s in plain if any(not p.failed for p in self.points[s].values())), None)

    @property
    def name(self) -> str:
        """Topology and workers, then whatever else tells it from the run's other views."""
        keys = dict.fromkeys(("topology", "workers", *self.varied))
        return ", ".join(phrase(key, self.setting[key]) for key in keys)

    @property
    def repetitions(self) -> float:
        """The least number behind any point; nan where the table does not say."""
        counts = [p.repetitions for points in self.points.values() for p in points.values()]
        return min((c for c in counts if not math.isnan(c)), default=math.nan)

    @property
    def basis(self) -> str:
        """What a judgement rests on whose numbers lie in their targets."""
        count = self.repetitions
        if count < 3:
            return f", but {count:.0f} repetitions a cell give no confidence interval"
        return " with its whole 95 % interval" + ("" if math.isnan(count) else f" ({count:.0f} repetitions a cell)")

    @property
    def origin(self) -> list[str]:
        """For a figure's foot: lab, workload and data set, device and whether it was measured, workers, batch."""
        setting, facts = self.setting, self.facts
        gradients = "/".join(facts["gradients"])
        return [
            f"{setting['lab']} lab",
            f"{setting['workload']} on {'/'.join(facts['dataset']) or 'unknown data'}"
            + (f", {GRADIENTS.get(gradients, gradients)} gradients" if gradients else ""),
            f"device {setting['device']} ({'/'.join(facts['device_kind']) or 'kind unknown'}), "
            f"compute {TIMES}{setting['compute_scale']:g}",
            f"{setting['workers']} workers, batch {'/'.join(facts['batch_size']) or 'unknown'} each",
        ]

    def point(self, system: System | None, network: Network) -> Point | None:
        """The point there, or None if the run has no such cell."""
        return self.points.get(system, {}).get(network) if system else None

    def speedup(self, system: System, network: Network) -> Interval:
        """Baseline's epoch over the system's; nan where either is missing or failed."""
        ours, base = self.point(system, network), self.point(self.baseline, network)
        return base.epoch_s.over(ours.epoch_s) if ours and base else NOTHING


def views(table: pd.DataFrame) -> list[View]:
    """The run's views, in order of their settings; none for a run in which nothing was tried yet."""
    rows = tried_rows(table, REQUIRED)
    if rows.empty:
        return []
    groups, varied = by_setting(rows, [*SETTING, *_distinguishing(rows)])
    return [_view(setting, group, varied) for setting, group in groups]


def tried_rows(table: pd.DataFrame, required: Sequence[str]) -> pd.DataFrame:
    """What was tried of a table, with each row's system in `_system`; UserError where a required column is missing."""
    if table.empty:
        return table
    missing = [column for column in required if column not in table.columns]
    if missing:
        raise UserError(
            f"table has no column {', '.join(missing)}: a report needs it; make the table from a run folder"
        )
    tried = table[table["status"] != "missing"]
    if tried.empty:
        return tried
    return tried.assign(_system=pd.Series(systems(tried), index=tried.index, dtype=object))


def by_setting(
    rows: pd.DataFrame, keys: Sequence[str]
) -> tuple[list[tuple[dict[str, Any], pd.DataFrame]], tuple[str, ...]]:
    """The rows of every setting, in order of the settings, and the keys in which settings differ."""
    groups = [(dict(zip(keys, values, strict=True)), group) for values, group in rows.groupby(list(keys), dropna=False)]
    return groups, tuple(key for key in keys if len({str(setting[key]) for setting, _ in groups}) > 1)


def _view(setting: Mapping[str, Any], group: pd.DataFrame, varied: tuple[str, ...]) -> View:
    cells: dict[tuple[System, Network], list[Row]] = defaultdict(list)
    for row in group.to_dict("records"):
        network = (plain(row["bandwidth_bit_per_s"]), plain(row["latency_s"]))
        cells[row["_system"], network].append(row)
    points: dict[System, dict[Network, Point]] = defaultdict(dict)
    for (system, network), rows in cells.items():
        points[system][network] = _point(rows)
    everything = [row for rows in cells.values() for row in rows]
    facts = {key: _texts(everything, key) for key in ("dataset", "device_kind", "batch_size", "gradients")}
    return View(setting=setting, facts=facts, varied=varied, points=dict(points))


def _point(rows: Sequence[Row]) -> Point:
    """One point from its seeds' cells; a seed that failed leaves the others."""
    measured = [row for row in rows if row["status"] == "ok" and not pd.isna(row["epoch_s"])]
    return Point(
        epoch_s=_over_seeds(measured),
        parts_s={part: _mean(measured, f"{part}_s") for part in PARTS},
        declared_bytes_per_step=_mean(measured, "declared_bytes_per_step"),
        repetitions=min(_numbers(measured, "repetitions"), default=math.nan),
        faithful=all(row["faithful"] == 1 for row in measured),
        reason="; ".join(_texts(measured or rows, "reason")) or ("" if measured else "failed"),
        timelines=tuple(read(row["timeline"]) for row in measured if row.get("timeline")),
        rows=tuple(rows),
    )


def _over_seeds(measured: Sequence[Row]) -> Interval:
    """The seeds' mean; its interval covers every seed's own."""
    if not measured:
        return NOTHING
    values = [float(row["epoch_s"]) for row in measured]
    halves = [0.0 if pd.isna(row["epoch_ci95_s"]) else float(row["epoch_ci95_s"]) for row in measured]
    ends = list(zip(values, halves, strict=True))
    return Interval(fmean(values), min(v - h for v, h in ends), max(v + h for v, h in ends))


def _distinguishing(rows: pd.DataFrame) -> list[str]:
    """Extra columns in which cells differ although setting, system and network are equal."""
    keys = [*SETTING, "_system", "bandwidth_bit_per_s", "latency_s"]
    extra = [column for column in EXTRA_SETTING if column in rows.columns]
    return [column for column in extra if rows.groupby(keys, dropna=False)[column].nunique().gt(1).any()]


def phrase(key: str, value: Any) -> str:
    """A setting in words: `star`, `8 workers`, `batch 128`, `no straggler`, `schedule 3 s: 10 Mbit/s and 2 more`."""
    if value == "none":
        return f"no {key.replace('_', ' ')}"
    if key == "schedule":
        first, *more = value.split("; ")
        value = f"{first} and {len(more)} more" if more else first
    wording = WORDING.get(key, key.replace("_", " ") + " {}")
    return printable(wording.format(value))


def _texts(rows: Sequence[Row], column: str) -> tuple[str, ...]:
    """The distinct values of a column as text; none where the table lacks it."""
    values = (row[column] for row in rows if column in row)
    return tuple(dict.fromkeys(printable(value) for value in values if not pd.isna(value) and str(value)))


def _numbers(rows: Sequence[Row], column: str) -> list[float]:
    return [float(row[column]) for row in rows if column in row and not pd.isna(row[column])]


def _mean(rows: Sequence[Row], column: str) -> float:
    values = _numbers(rows, column)
    return fmean(values) if values else math.nan


def plain(value: float) -> float:
    """Nine digits of the value, so that 0.13 ms is one latency however its unit was converted."""
    return float(f"{value:.9g}")


def _quotient(a: float, b: float) -> float:
    return a / b if b > 0 else math.nan
