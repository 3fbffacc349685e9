"""Epoch time, and speed-up over allreduce, against bandwidth or latency."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from reports import measures, panels
from reports.measures import Measure
from reports.paper import PaperFigure
from reports.paper.numbers import state, where
from reports.paper.sheet import Sheet
from reports.quantities import bandwidth_text, latency_text, ratio_text, seconds_text
from reports.systems import System
from reports.view import Network, View

HEIGHT_IN = 1.75
TICK_IN = 0.3  # between tilted ticks of an x axis


@dataclass(frozen=True, kw_only=True)
class Quantity:
    """What is drawn along y."""

    title: str
    label: str
    column: str  # of the numbers, `{}` where low and high come
    measure: Measure
    text: Callable[[float], str]
    systems: Callable[[View], Sequence[System]]
    reference: float | None = None  # a level line


@dataclass(frozen=True, kw_only=True)
class Along:
    """What is along x, and of what each panel is."""

    name: str
    values: Callable[[View], Sequence[float]]
    others: Callable[[View], Sequence[float]]
    network: Callable[[float, float], Network]  # of a value along x and of a panel
    panel: Callable[..., panels.Panel]
    text: Callable[[float], str]


def _others(view: View) -> list[System]:
    return [system for system in view.systems if system != view.baseline] if view.baseline else []


EPOCH = Quantity(title="Epoch time", label="epoch time", column="epoch{}_s", measure=measures.EPOCH, text=seconds_text,
                 systems=lambda view: view.systems)  # fmt: skip
SPEEDUP = Quantity(title="Speed-up over allreduce fp32", label="speed-up", column="speedup{}", reference=1.0,
                   measure=measures.SPEEDUP, text=ratio_text, systems=_others)  # fmt: skip
BANDWIDTH = Along(
    name="bandwidth",
    values=lambda view: view.bandwidths,
    others=lambda view: view.latencies,
    network=lambda x, panel: (x, panel),
    panel=panels.at_latency,
    text=latency_text,
)
LATENCY = Along(
    name="latency",
    values=lambda view: view.latencies,
    others=lambda view: view.bandwidths,
    network=lambda x, panel: (panel, x),
    panel=panels.at_bandwidth,
    text=bandwidth_text,
)


def _draw(quantity: Quantity, along: Along, view: View, sheet: Sheet) -> Figure | None:
    """A panel for each latency, or bandwidth; one legend above all."""
    systems = quantity.systems(view)
    shown = [along.panel(view, quantity.measure, systems, value) for value in _lines(along, view)]
    if not shown or not systems:
        return None
    labels = [system.label for system in systems]
    columns = sheet.columns(len(shown))
    axes = sheet.grid(
        len(shown), height_in=HEIGHT_IN, columns=columns, legend_rows=sheet.legend_rows(labels), sharey=True
    )
    limits = panels.common_limits(shown, quantity.reference)
    for place, (ax, panel) in enumerate(zip(axes, shown, strict=True)):
        panels.scales(ax, panel.axis, limits, quantity.text, gap=TICK_IN / (sheet.width_in / columns))
        ax.set_title(panel.title)
        if quantity.reference is not None:
            ax.axhline(quantity.reference, color="#999999", linewidth=0.6, zorder=1)
        panels.draw_lines(ax, panel.curves)
        if place + columns >= len(shown):
            ax.set_xlabel(along.name)
        if place % columns == 0:
            ax.set_ylabel(quantity.label)
    handles = [line for line in axes[0].lines if line.get_label() in labels]
    sheet.legend(axes[0].get_figure(root=True), handles, labels)  # type: ignore[arg-type]
    return axes[0].get_figure(root=True)


def _lines(along: Along, view: View) -> list[float]:
    """The panels that have a line: cells at two neighbouring values along x."""
    values = along.values(view)

    def has_cell(x: float, panel: float) -> bool:
        return any(view.point(system, along.network(x, panel)) for system in view.systems)

    return [
        panel for panel in along.others(view)
        if any(has_cell(x, panel) and has_cell(after, panel) for x, after in itertools.pairwise(values))
    ]  # fmt: skip


def _numbers(quantity: Quantity, along: Along, view: View) -> pd.DataFrame:
    return pd.DataFrame(_rows(quantity, along, view))


def _rows(quantity: Quantity, along: Along, view: View) -> Iterator[dict[str, Any]]:
    for panel in _lines(along, view):
        for system in quantity.systems(view):
            for x in along.values(view):
                network = along.network(x, panel)
                found = quantity.measure.value(view, system, network)
                ends = {"": found.value, "_low": found.low, "_high": found.high}
                yield (
                    where(network, system)
                    | {quantity.column.format(end): value for end, value in ends.items()}
                    | {"state": state(view, system, network, quantity.measure.faithful(view, system, network))}
                )


def _caption(quantity: Quantity, along: Along, view: View) -> str:
    curves = [c for value in _lines(along, view)
              for c in along.panel(view, quantity.measure, quantity.systems(view), value).curves]  # fmt: skip
    marks = [panels.HOLLOW] * any(any(c.unfaithful) for c in curves) + [panels.CROSS] * any(
        any(c.failed) for c in curves
    )
    shown = any(math.isfinite(v.high) and v.high > v.low for c in curves for v in c.values)
    return "; ".join(
        [f"{quantity.title} against {along.name}: {view.name}"] + [measures.band_note(view)] * shown + marks
    )


def _figure(name: str, quantity: Quantity, along: Along) -> PaperFigure:
    needs = f"two values of {along.name} or more" + (", and allreduce fp32 with others" if quantity.reference else "")
    return PaperFigure(
        name=name,
        needs=needs,
        draw=lambda view, sheet: _draw(quantity, along, view, sheet),
        numbers=lambda view: _numbers(quantity, along, view),
        caption=lambda view: _caption(quantity, along, view),
    )


FIGURES = (
    _figure("epoch-bandwidth", EPOCH, BANDWIDTH),
    _figure("epoch-latency", EPOCH, LATENCY),
    _figure("speedup-bandwidth", SPEEDUP, BANDWIDTH),
    _figure("speedup-latency", SPEEDUP, LATENCY),
)
