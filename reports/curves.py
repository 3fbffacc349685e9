"""What a training recorded, against epochs: a line per system, its band over the seeds."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullLocator

from reports import canvas, panels
from reports.quantities import printable
from reports.systems import System
from reports.systems import names as names_of
from reports.training import LARGEST_DELTA, Training
from reports.view import NOTHING

CROSS = "cross at the foot: a seed diverged in that epoch"


@dataclass(frozen=True, kw_only=True)
class Quantity:
    """A column of the table, and how it is drawn."""

    column: str
    label: str
    logarithmic: bool = False
    limit: float | None = None  # a level line, which what is drawn should not cross


TRAIN_LOSS = Quantity(column="train_loss", label="training loss", logarithmic=True)
DELTA = Quantity(column=LARGEST_DELTA, label="delta of the layer where it is largest", limit=1.0)
HELD_OUT_LOSS = Quantity(column="held_out_loss", label="held-out loss", logarithmic=True)


def metric(training: Training) -> Quantity:
    """What the workload is judged by."""
    return Quantity(column="metric", label="/".join(training.facts["metric_name"]) or "metric")


def draw(
    training: Training,
    quantities: Sequence[Quantity],
    *,
    title: str,
    systems: Sequence[System] | None = None,
    names: Mapping[System, str] | None = None,
) -> Figure | None:
    """A panel for each quantity that was recorded; None where none was.

    `names` are in the place of the systems' own.
    """
    shown = training.systems if systems is None else systems
    names = names or names_of(shown)
    curves = [
        (q, [replace(curve(training, system, q), name=names.get(system, "")) for system in shown]) for q in quantities
    ]
    known = [(q, of) for q, of in curves if any(math.isfinite(v.value) for c in of for v in c.values)]
    if not known:
        return None
    longest = max(len(one.label) for _, of in known for one in of) + len(": failed")
    crosses = [CROSS] * any(any(c.failed) for _, of in known for c in of)
    figure, axes = canvas.grid(
        len(known),
        title=printable(title),
        note="; ".join([seeds_note(training), *crosses]) + ".",
        right_in=0.35 + panels.INCHES_PER_CHARACTER * longest,
    )
    for ax, (quantity, of) in zip(axes, known, strict=True):
        _panel(ax, quantity, of, training.setting["epochs_declared"])
    return figure


def curve(training: Training, system: System, quantity: Quantity, epoch_s: float | None = None) -> panels.Curve:
    """A system's mean over the seeds by epoch, with least and largest; a cross where a seed diverged.

    With `epoch_s` by seconds.
    """
    course = training.courses[system]
    band = course.band(quantity.column)
    crossed = set(course.diverged.values())
    epochs = sorted(band.keys() | crossed)
    return panels.Curve(
        system=system,
        x=epochs if epoch_s is None else [epoch * epoch_s for epoch in epochs],
        values=[found if math.isfinite((found := band.get(epoch, NOTHING)).high) else NOTHING for epoch in epochs],
        unfaithful=[False] * len(epochs),
        failed=[epoch in crossed for epoch in epochs],
    )


def seeds_note(training: Training) -> str:
    """How much was trained, and what lines and bands are."""
    count = len(training.seeds)
    return f"{training.size}; " + (f"line: mean of {count} seeds, band: all of them" if count > 1 else "one seed")


def _panel(ax: Axes, quantity: Quantity, curves: Sequence[panels.Curve], epochs: int) -> None:
    ax.set_title(quantity.label)
    ax.set_xlabel("epoch")
    ax.set_ylabel(quantity.label)
    ax.set_xlim(0, epochs + 0.5)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=8))
    if quantity.logarithmic:
        logarithmic(ax, curves)
    if quantity.limit is not None:
        _limit(ax, quantity.limit)
    panels.draw_curves(ax, curves)


def _limit(ax: Axes, limit: float) -> None:
    """The level line, and room for it: where it is drawn all is seen to lie below, or not."""
    ax.axhline(limit, color="#999999", linewidth=0.9, linestyle=(0, (4, 2)), zorder=1, gid="limit")
    ax.margins(y=0.08)


def logarithmic(ax: Axes, curves: Sequence[panels.Curve]) -> None:
    """A logarithmic axis of values on which all of the curves have room."""
    ends = [end for c in curves for v in c.values for end in (v.low, v.high) if math.isfinite(end) and end > 0]
    low, high = min(ends), max(ends)
    margin = max((high / low) ** 0.06, 1.05)
    ax.set_yscale("log")
    ax.set_ylim(low / margin, high * margin)
    marks = panels.levels(low / margin, high * margin)
    panels.ticks(ax.yaxis, marks, [f"{mark:.6g}" for mark in marks])
    ax.yaxis.set_minor_locator(NullLocator())
