"""Epoch time against latency, a panel per bandwidth."""

from __future__ import annotations

from matplotlib.figure import Figure

from reports import measures, panels
from reports.figures import FigureKind
from reports.quantities import seconds_text
from reports.view import View


def draw(view: View) -> Figure | None:
    """All systems' epoch times."""
    shown = [panels.at_bandwidth(view, measures.EPOCH, view.systems, x) for x in view.bandwidths]
    return panels.draw(
        shown,
        title=f"Epoch time against latency: {view.name}",
        note=measures.band_note(view),
        y_label="epoch time",
        y_text=seconds_text,
    )


FIGURE = FigureKind(
    name="epoch-latency",
    title="Epoch time against latency",
    reading="Lower is faster; a line that rises to the right waits for messages one after the other.",
    order=20,
    draw=draw,
)
