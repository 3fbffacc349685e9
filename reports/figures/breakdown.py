"""Where the time goes: a step's parts, stacked, at the corners of the swept networks."""

from __future__ import annotations

import math

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from reports import canvas, looks
from reports.figures import FigureKind
from reports.quantities import bandwidth_text, latency_text, seconds_text
from reports.view import Network, View

NOTE = "means over workers; waiting for other workers is in communicate; each panel has its own scale"


def corners(view: View) -> list[Network]:
    """The networks of least and most latency and bandwidth: up to four, in reading order."""
    latencies = dict.fromkeys((view.latencies[0], view.latencies[-1]))
    bandwidths = dict.fromkeys((view.bandwidths[0], view.bandwidths[-1]))
    return [(b, latency) for latency in latencies for b in bandwidths]


def draw(view: View) -> Figure | None:
    """A panel per corner, a bar per system; None where the table has no parts."""
    shown = [network for network in corners(view) if any(_parts(view, network))]
    if not shown:
        return None
    longest = max(len(system.label) for system in view.systems)
    panel_in = (4.0, 0.5 + 0.3 * len(view.systems))
    figure, axes = canvas.grid(
        len(shown), title=f"Where the time goes: {view.name}", note=NOTE + ".", left_in=0.4 + 0.068 * longest,
        panel_in=panel_in, right_in=0.7, head_in=0.3,
    )  # fmt: skip
    for ax, network in zip(axes, shown, strict=True):
        _bars(ax, view, network)
    handles = [Patch(facecolor=colour, label=part) for part, colour in looks.PARTS.items()]
    axes[0].legend(handles=handles, loc="lower left", bbox_to_anchor=(0, 1 + 0.33 / panel_in[1]), ncols=5,
                   frameon=False, borderaxespad=0, handlelength=1.2, columnspacing=1.2)  # fmt: skip
    return figure


def _parts(view: View, network: Network) -> list[dict[str, float]]:
    """Each system's parts in seconds, empty where it was not measured."""
    points = [view.point(system, network) for system in view.systems]
    return [{k: v for k, v in p.parts_s.items() if math.isfinite(v)} if p else {} for p in points]


def _bars(ax: Axes, view: View, network: Network) -> None:
    parts = _parts(view, network)
    rows = range(len(parts))
    left = [0.0] * len(parts)
    for part, colour in looks.PARTS.items():
        widths = [p.get(part, 0.0) for p in parts]
        ax.barh(rows, widths, left=left, height=0.68, color=colour, label=part)
        left = [a + b for a, b in zip(left, widths, strict=True)]
    for row, (total, system) in enumerate(zip(left, view.systems, strict=True)):
        point = view.point(system, network)
        text = seconds_text(total) if parts[row] else "failed" if point and point.failed else "no cell"
        ax.annotate(text, (total, row), xytext=(4, 0), textcoords="offset points", va="center", size=8)
    ax.set_yticks(rows, [system.label for system in view.systems])
    ax.invert_yaxis()
    ax.set_xlim(0, max(left) * 1.02 or 1.0)
    ax.grid(visible=False, axis="y")
    ax.set_xlabel("seconds per step")
    ax.set_title(f"{bandwidth_text(network[0])}, latency {latency_text(network[1])}")


FIGURES = (
    FigureKind(
        name="where-the-time-goes",
        title="Where the time goes",
        reading="Each bar is one training step; the longest colour is what to improve on that network.",
        order=60,
        draw=draw,
    ),
)
