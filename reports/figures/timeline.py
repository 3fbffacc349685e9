"""Step time against time, with marks where a schedule changed the links; a panel per network."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from reports import canvas, panels
from reports.figures import FigureKind
from reports.quantities import bandwidth_text, latency_text, seconds_text
from reports.spread import spread
from reports.timeline import Mark, Timeline
from reports.view import Network, View

NOTE = (
    "each level is one training step, from its beginning to its end; strong: the first repetition, faint: the others; "
    "vertical line: the links change; shaded: links are down"
)
PANEL_IN = (6.6, 2.6)
TILT_DEGREES = 30
LABEL_GAP_IN = 0.27  # between the feet of labels, so that tilted ones stay apart
STEM_IN = 0.12
TITLE_PT = 6.0
MARK = "#555555"


def draw(view: View) -> Figure | None:
    """A panel per network that has cells with a schedule; None where there is none."""
    networks = [(bandwidth, latency) for latency in view.latencies for bandwidth in view.bandwidths]
    shown = [network for network in networks if _timelines(view, network)]
    if not shown:
        return None
    marks = {network: _marks(_timelines(view, network)) for network in shown}
    label_in = _label_height_in([mark for of_network in marks.values() for mark in of_network])
    missed = any(mark.applied_s is None for of_network in marks.values() for mark in of_network)
    figure, axes = canvas.grid(
        len(shown),
        title=f"Step time while links change: {view.name}",
        note=NOTE + ("; changes without a mark came after the last step." if missed else "."),
        columns=1,
        panel_in=PANEL_IN,
        right_in=0.35 + panels.INCHES_PER_CHARACTER * max(len(s.label) + 4 for s in view.systems),
        head_in=label_in,
        row_gap_in=canvas.ROW_GAP_IN + label_in,
    )
    for ax, network in zip(axes, shown, strict=True):
        _steps(ax, view, network)
        _draw_marks(ax, marks[network])
        ax.set_title(
            f"at first {bandwidth_text(network[0])}, latency {latency_text(network[1])}",
            pad=TITLE_PT + label_in * 72,
        )
    return figure


def _timelines(view: View, network: Network) -> list[Timeline]:
    """Of all systems on a network."""
    points = [view.point(system, network) for system in view.systems]
    return [timeline for point in points if point for timeline in point.timelines]


def _marks(timelines: Sequence[Timeline]) -> list[Mark]:
    """The changes, at the mean of the times at which systems met them; all systems have the same schedule."""
    return [
        Mark(
            text=same[0].text,
            applied_s=_mean([mark.applied_s for mark in same]),
            ended_s=_mean([mark.ended_s for mark in same]),
        )
        for same in zip(*(timeline.marks for timeline in timelines), strict=True)
    ]


def _mean(times_s: Sequence[float | None]) -> float | None:
    known = [time_s for time_s in times_s if time_s is not None]
    return fmean(known) if known else None


def _steps(ax: Axes, view: View, network: Network) -> None:
    for system in view.systems:
        point = view.point(system, network)
        runs = [run for timeline in (point.timelines if point else ()) for run in timeline.runs]
        for number, run in enumerate(runs):
            ax.stairs(
                run.step_s,
                run.edges_s,
                baseline=None,
                color=system.look.colour,
                linewidth=0.8 if number else 1.6,
                alpha=0.35 if number else 1.0,
                linestyle=(0, system.look.dash) if system.look.dash else "-",
                zorder=2 if number else 3,
                label=None if number else system.label,
            )
    ax.set_yscale("log")
    low, high = ax.dataLim.intervaly
    margin = max((high / low) ** 0.06, 1.1)
    low, high = ax.set_ylim(low / margin, high * margin)
    levels = panels.levels(low, high)
    panels.ticks(ax.yaxis, levels, [seconds_text(level) for level in levels])
    ax.set_xlim(0, None)
    ax.xaxis.set_major_locator(MaxNLocator(nbins=10, steps=[1, 2, 5, 10]))
    ax.set_xlabel("seconds since the repetition's first step began")
    ax.set_ylabel("step time")
    ax.legend(loc="upper left", bbox_to_anchor=(1.01, 1.0), frameon=False, borderaxespad=0, handlelength=1.6)


def _draw_marks(ax: Axes, marks: Sequence[Mark]) -> None:
    """A line for each change, with a tilted label above; labels that would meet stand apart, with a bent stem."""
    met = [(mark, mark.applied_s) for mark in marks if mark.applied_s is not None]
    last_s = ax.get_xlim()[1]
    feet = spread([applied_s / last_s for _, applied_s in met], LABEL_GAP_IN / PANEL_IN[0])
    stem = 1 + STEM_IN / PANEL_IN[1]
    for (mark, applied_s), foot in zip(met, feet, strict=True):
        ax.axvline(applied_s, color=MARK, linewidth=0.9, linestyle=(0, (4, 2)), zorder=1, gid="change")
        if mark.ended_s is not None:
            ax.axvspan(applied_s, mark.ended_s, color=MARK, alpha=0.15, linewidth=0, zorder=0, gid="down")
        ax.plot([applied_s / last_s, foot], [1, stem], transform=ax.transAxes, color=MARK, linewidth=0.6, clip_on=False)
        ax.text(foot, stem, mark.text, transform=ax.transAxes, rotation=TILT_DEGREES, rotation_mode="anchor",
                ha="left", va="bottom", size=panels.LABEL_PT, color="#222222", gid="label")  # fmt: skip


def _label_height_in(marks: Sequence[Mark]) -> float:
    """Room above a panel for its labels."""
    longest = max(len(mark.text) for mark in marks)
    tilt = math.radians(TILT_DEGREES)
    return STEM_IN + longest * panels.INCHES_PER_CHARACTER * math.sin(tilt) + panels.LABEL_PT / 72 * math.cos(tilt)


FIGURES = (
    FigureKind(
        name="timeline",
        title="Step time while links change",
        reading="Where a line rises at a mark the change made steps longer; how soon it falls back after links are up "
        "again, or lose nothing any more, is how soon the system recovers.",
        order=70,
        draw=draw,
    ),
)
