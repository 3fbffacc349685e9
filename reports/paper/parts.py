"""Where the time of a step goes, at the corners of the swept networks."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from reports import looks
from reports.figures.breakdown import corners
from reports.paper import PaperFigure
from reports.paper.numbers import state, where
from reports.paper.sheet import Sheet
from reports.quantities import bandwidth_text, latency_text
from reports.systems import System
from reports.view import Network, View

BAR_IN, REST_IN = 0.15, 0.55  # the height of a bar, and of title, ticks and label
LEAST_PANEL_IN = 2.6  # with the systems' names


def draw(view: View, sheet: Sheet) -> Figure | None:
    """A panel per corner, a bar per system; None where the table has no parts."""
    shown = [network for network in corners(view) if any(_parts(view, system, network) for system in view.systems)]
    if not shown:
        return None
    labels = list(looks.PARTS)
    columns = sheet.columns(len(shown), LEAST_PANEL_IN)
    height_in = REST_IN + BAR_IN * len(view.systems)
    rows = sheet.legend_rows(labels)
    axes = sheet.grid(len(shown), height_in=height_in, columns=columns, legend_rows=rows, sharey=True)
    for place, (ax, network) in enumerate(zip(axes, shown, strict=True)):
        _bars(ax, view, network)
        if place + columns >= len(shown):
            ax.set_xlabel("seconds per step")
    axes[0].invert_yaxis()
    figure = axes[0].get_figure(root=True)
    assert figure is not None
    sheet.legend(figure, [Patch(facecolor=looks.PARTS[part]) for part in labels], labels)
    return figure


def _bars(ax: Axes, view: View, network: Network) -> None:
    parts = [_parts(view, system, network) for system in view.systems]
    left = [0.0] * len(parts)
    for part, colour in looks.PARTS.items():
        widths = [one.get(part, 0.0) for one in parts]
        ax.barh(range(len(parts)), widths, left=left, height=0.7, color=colour, edgecolor="#666666", linewidth=0.2)
        left = [a + b for a, b in zip(left, widths, strict=True)]
    for row, one in enumerate(parts):
        if not one:
            ax.text(0, row, " failed" if view.point(view.systems[row], network) else " no cell", va="center", size=7)
    ax.set_yticks(range(len(parts)), [system.label for system in view.systems])
    ax.set_xlim(0, max(left) * 1.02 or 1.0)
    ax.xaxis.set_major_locator(MaxNLocator(nbins=4))
    ax.grid(visible=False, axis="y")
    ax.set_title(f"{bandwidth_text(network[0])}, {latency_text(network[1])}")


def _parts(view: View, system: System, network: Network) -> dict[str, float]:
    """Seconds; empty where it was not measured."""
    point = view.point(system, network)
    return {k: v for k, v in point.parts_s.items() if math.isfinite(v)} if point else {}


def numbers(view: View) -> pd.DataFrame:
    """A row for each bar, seconds of a step in each of its parts."""
    return pd.DataFrame(_rows(view))


def _rows(view: View) -> Iterator[dict[str, Any]]:
    for network in corners(view):
        for system in view.systems:
            point = view.point(system, network)
            parts = _parts(view, system, network)
            yield (
                where(network, system)
                | {f"{part}_s": parts.get(part, math.nan) for part in looks.PARTS}
                | {"state": state(view, system, network, point is not None and point.faithful)}
            )


def caption(view: View) -> str:
    """What bars are."""
    unfaithful = any(
        not point.faithful for system in view.systems for point in view.points[system].values() if not point.failed
    )
    words = [f"Where the time of a step goes: {view.name}", "means over workers; waiting for others is in communicate"]
    return "; ".join(words + ["some cells are unfaithful: see the column state of the numbers"] * unfaithful)


FIGURES = (
    PaperFigure(name="where-the-time-goes", needs="measured cells with parts", draw=draw, numbers=numbers,
                caption=caption),
)  # fmt: skip
