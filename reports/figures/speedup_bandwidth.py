"""Speed-up over allreduce against bandwidth, a panel per latency."""

from __future__ import annotations

from matplotlib.figure import Figure

from reports import measures, panels
from reports.figures import FigureKind
from reports.quantities import ratio_text
from reports.view import View


def draw(view: View) -> Figure | None:
    """All systems but the baseline, which is the line at 1; None without a baseline."""
    others = [system for system in view.systems if system != view.baseline]
    if view.baseline is None or not others:
        return None
    shown = [panels.at_latency(view, measures.SPEEDUP, others, x) for x in view.latencies]
    return panels.draw(
        shown,
        title=f"Speed-up over allreduce fp32 against bandwidth: {view.name}",
        note=measures.band_note(view),
        y_label="speed-up",
        y_text=ratio_text,
        reference=1.0,
    )


FIGURE = FigureKind(
    name="speedup-bandwidth",
    title="Speed-up over allreduce fp32 against bandwidth",
    reading="Above the line at 1 a system's epoch is shorter than allreduce's in fp32, below it longer; a "
    "gap without a cross is where allreduce failed.",
    order=30,
    draw=draw,
)
