"""Speed-up over allreduce against latency, a panel per bandwidth."""

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
    shown = [panels.at_bandwidth(view, measures.SPEEDUP, others, x) for x in view.bandwidths]
    return panels.draw(
        shown,
        title=f"Speed-up over allreduce fp32 against latency: {view.name}",
        note=measures.band_note(view),
        y_label="speed-up",
        y_text=ratio_text,
        reference=1.0,
    )


FIGURE = FigureKind(
    name="speedup-latency",
    title="Speed-up over allreduce fp32 against latency",
    reading="Above the line at 1 a system's epoch is shorter than allreduce's in fp32, below it longer; a "
    "gap without a cross is where allreduce failed.",
    order=40,
    draw=draw,
)
