"""Epoch time against bandwidth, a panel per latency; and against latency, a panel per bandwidth."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure

from reports import measures, panels
from reports.figures import FigureKind
from reports.quantities import seconds_text
from reports.view import View


def against_bandwidth(view: View) -> Figure | None:
    """All systems' epoch times, bandwidth along x; None where there is one bandwidth only."""
    if len(view.bandwidths) < 2:
        return None
    shown = [panels.at_latency(view, measures.EPOCH, view.systems, x) for x in view.latencies]
    return _draw(view, "bandwidth", shown)


def against_latency(view: View) -> Figure | None:
    """All systems' epoch times, latency along x; None where there is one latency only."""
    if len(view.latencies) < 2:
        return None
    shown = [panels.at_bandwidth(view, measures.EPOCH, view.systems, x) for x in view.bandwidths]
    return _draw(view, "latency", shown)


def _draw(view: View, along: str, shown: Sequence[panels.Panel]) -> Figure:
    return panels.draw(
        shown,
        title=f"Epoch time against {along}: {view.name}",
        note=measures.band_note(view),
        y_label="epoch time",
        y_text=seconds_text,
    )


FIGURES = (
    FigureKind(
        name="epoch-bandwidth",
        title="Epoch time against bandwidth",
        reading="Lower is faster; a flat line is limited by compute or latency, a falling one by bandwidth.",
        order=10,
        draw=against_bandwidth,
    ),
    FigureKind(
        name="epoch-latency",
        title="Epoch time against latency",
        reading="Lower is faster; a line that rises to the right waits for messages one after the other.",
        order=20,
        draw=against_latency,
    ),
)
