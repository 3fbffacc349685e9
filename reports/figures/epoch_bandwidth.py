"""Epoch time against bandwidth, a panel per latency."""

from __future__ import annotations

from matplotlib.figure import Figure

from reports import measures, panels
from reports.figures import FigureKind
from reports.quantities import seconds_text
from reports.view import View


def draw(view: View) -> Figure | None:
    """All systems' epoch times."""
    shown = [panels.at_latency(view, measures.EPOCH, view.systems, x) for x in view.latencies]
    return panels.draw(
        shown,
        title=f"Epoch time against bandwidth: {view.name}",
        note=measures.band_note(view),
        y_label="epoch time",
        y_text=seconds_text,
    )


FIGURE = FigureKind(
    name="epoch-bandwidth",
    title="Epoch time against bandwidth",
    reading="Lower is faster; a flat line is limited by compute or latency, a falling one by bandwidth.",
    order=10,
    draw=draw,
)
