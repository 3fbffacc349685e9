"""Speed-up over allreduce against bandwidth, a panel per latency; and against latency, a panel per bandwidth."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure

from reports import measures, panels
from reports.figures import FigureKind
from reports.quantities import ratio_text
from reports.systems import System
from reports.view import View

READING = (
    "Above the line at 1 a system's epoch is shorter than allreduce's in fp32, below it longer; a gap without a cross "
    "is where allreduce failed."
)


def against_bandwidth(view: View) -> Figure | None:
    """All systems but the baseline, which is the line at 1; None without a baseline or with one bandwidth only."""
    if len(view.bandwidths) < 2:
        return None
    shown = [panels.at_latency(view, measures.SPEEDUP, _others(view), x) for x in view.latencies]
    return _draw(view, "bandwidth", shown)


def against_latency(view: View) -> Figure | None:
    """All systems but the baseline, which is the line at 1; None without a baseline or with one latency only."""
    if len(view.latencies) < 2:
        return None
    shown = [panels.at_bandwidth(view, measures.SPEEDUP, _others(view), x) for x in view.bandwidths]
    return _draw(view, "latency", shown)


def _others(view: View) -> list[System]:
    return [system for system in view.systems if system != view.baseline]


def _draw(view: View, along: str, shown: Sequence[panels.Panel]) -> Figure | None:
    if view.baseline is None or not _others(view):
        return None
    return panels.draw(
        shown,
        title=f"Speed-up over allreduce fp32 against {along}: {view.name}",
        note=measures.band_note(view),
        y_label="speed-up",
        y_text=ratio_text,
        reference=1.0,
    )


FIGURES = (
    FigureKind(
        name="speedup-bandwidth",
        title="Speed-up over allreduce fp32 against bandwidth",
        reading=READING,
        order=30,
        draw=against_bandwidth,
    ),
    FigureKind(
        name="speedup-latency",
        title="Speed-up over allreduce fp32 against latency",
        reading=READING,
        order=40,
        draw=against_latency,
    ),
)
