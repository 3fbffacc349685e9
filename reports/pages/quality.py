"""Bytes and quality: what every algorithm sends, by the formula and counted, and what its training ends with."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import pandas as pd
from matplotlib.figure import Figure

from reports import canvas, panels
from reports.pages import Content, Drawing, Grid, PageKind
from reports.systems import System
from reports.training import Training, over_seeds, trainings
from reports.view import NOTHING, Interval

WITHOUT = "diverged, or not trained to the end"
LEAST_SYSTEMS = 12  # a training of fewer is about something else
HEADER = (
    "system", "bits, formula", "bits, counted", "counted : formula", "bytes : allreduce", "training loss", "metric",
    "metric less allreduce's",
)  # fmt: skip
NOTES = (
    "Bits are those of a component of what was made of a vector, by the formula of the codec or of the selection, and "
    "counted in the training's payloads. They differ by the headers of parts, where a vector is coded in parts, and "
    "where a size depends on the data: the formula is then the expectation for independent Gaussian components.",
    "Bytes are those that a worker handed over, mean over workers and epochs, beside allreduce in float32: they "
    "say how often and to how many what was coded was sent.",
    "Loss is that of the last epoch, the metric that of the mean model on the held-out data: mean over the seeds, in "
    "brackets the least and the largest. Differences are taken seed by seed.",
)


def build(table: pd.DataFrame) -> Content | None:
    """The page; None for a training of few systems."""
    shown = [training for training in trainings(table) if len(training.systems) >= LEAST_SYSTEMS and _base(training)]
    if not shown:
        return None
    return Content(
        summary=f"{max(len(training.systems) for training in shown)} systems: what each sends, what it reaches.",
        notes=[*(f"Trained here: {training.size}." for training in shown), *NOTES],
        drawings=list(_drawings(shown)),
        grids=[_grid(training) for training in shown],
    )


def _base(training: Training) -> System | None:
    return training.of("allreduce", "fp32")


def _drawings(shown: Sequence[Training]) -> Iterator[Drawing]:
    for number, training in enumerate(shown, 1):
        name = "quality" + (f"-{number}" if len(shown) > 1 else "")
        alt = f"{_metric(training)} of all systems, {training.name}"
        yield Drawing(name=name, figure=_draw(training), view=training, alt=alt)


def _draw(training: Training) -> Figure:
    """A line of the panel for each system, with its bits; what allreduce reached is shaded."""
    systems, metric = training.systems, _metric(training)
    bits = [_number(_mean(training, system, "bits_per_component")) or "unknown" for system in systems]
    labels = [f"{system.label}: {of_system} bit" for system, of_system in zip(systems, bits, strict=True)]
    note = f"{training.size}; point: mean of {len(training.seeds)} seeds, bar: all of them; shaded: allreduce fp32."
    figure, (ax,) = canvas.grid(
        1,
        title=f"{metric.capitalize()} after {training.setting['epochs_declared']} epochs, and bits per component",
        note=note,
        panel_in=(5.0, 0.23 * len(systems)),
        left_in=0.35 + panels.INCHES_PER_CHARACTER * max(map(len, labels)),
    )
    base = _base(training)
    reached = [over_seeds(_last(training, system, "metric")) for system in systems]
    for place, (system, value) in enumerate(zip(systems, reached, strict=True)):
        if system == base and value is not NOTHING:
            ax.axvspan(value.low, value.high, color="#cccccc", linewidth=0, gid="allreduce")
        bar = [[value.value - value.low], [value.high - value.value]]
        look = system.look
        ax.errorbar(value.value, place, xerr=bar, color=look.colour, marker=look.marker, capsize=2, linewidth=1.2)
    ax.set_yticks(range(len(systems)), labels)
    ax.set_ylim(len(systems) - 0.4, -0.6)
    ax.set_xlabel(f"held-out {metric}; no point: {WITHOUT}")
    return figure


def _metric(training: Training) -> str:
    return "/".join(training.facts["metric_name"]) or "metric"


def _grid(training: Training) -> Grid:
    return Grid(
        heading="Bytes and quality",
        caption=f"Bits per component, bytes and quality: {training.size}; {len(training.seeds)} seeds",
        header=[text.replace("metric", _metric(training)) for text in HEADER],
        rows=[_row(training, system) for system in training.systems],
    )


def _row(training: Training, system: System) -> list[str]:
    base = _base(training)
    assert base is not None
    formula, counted = (_mean(training, system, key) for key in ("formula_bits_per_component", "bits_per_component"))
    ours, bases = (_total_bytes(training, one) for one in (system, base))
    gains = [a - b for a, b in zip(_last(training, system, "metric"), _last(training, base, "metric"), strict=True)]
    return [
        system.label,
        _number(formula),
        _number(counted),
        _number(counted / formula),
        _number(ours / bases),
        _interval(over_seeds(_last(training, system, "train_loss")), ""),
        _interval(over_seeds(_last(training, system, "metric")), ""),
        "" if system == base else _interval(over_seeds(gains), "+"),
    ]


def _mean(training: Training, system: System, column: str) -> float:
    """Over epochs and seeds."""
    course = training.courses[system]
    values = [value for seed in training.seeds for value in course.values(seed, column).values()]
    return sum(values) / len(values) if values else math.nan


def _total_bytes(training: Training, system: System) -> float:
    """Per epoch, so that a training that diverged compares."""
    return _mean(training, system, "handed_bytes_per_worker")


def _last(training: Training, system: System, column: str) -> list[float]:
    """Of each seed; nan where it diverged or has not ended."""
    course = training.courses[system]
    values = [course.last(seed, column) if seed in course.status else math.nan for seed in training.seeds]
    return [value if math.isfinite(value) else math.nan for value in values]


def _number(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.3g}"


def _interval(value: Interval, sign: str) -> str:
    if value is NOTHING:
        return WITHOUT
    return f"{value.value:{sign}.3f} ({value.low:{sign}.3f} to {value.high:{sign}.3f})"


TRAINING_PAGE = PageKind(
    name="quality",
    title="Bytes and quality",
    source="every algorithm of Gradwire beside allreduce",
    build=build,
)
