"""Small multiples of curves on log-log axes, with bands, marks and labels at line ends."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedFormatter, FixedLocator, MaxNLocator, NullLocator

from reports import canvas
from reports.measures import Measure
from reports.quantities import bandwidth_text, latency_text
from reports.spread import spread
from reports.systems import System
from reports.view import Interval, Network, View

BANDWIDTH, LATENCY = "bandwidth of every link", "latency (round trip between neighbours)"
CROWD = 8  # levels of an axis that can still be read
LABEL_PT = 8.0
INCHES_PER_CHARACTER = 0.067  # of a label
HOLLOW = "hollow marker: the network's probe was off, the cell is unfaithful"
CROSS = "cross at the foot: the cell failed"


@dataclass(frozen=True, kw_only=True)
class Axis:
    """The network's property along x: `values` in SI units, `text` writes one for people."""

    label: str
    values: Sequence[float]
    text: Callable[[float], str]
    falling: bool = False  # from right to left, as papers show bandwidth going down

    def places(self, values: Sequence[float]) -> list[float]:
        """Where the values stand on the logarithmic axis; zero stands at a third of the least other value."""
        positive = [v for v in self.values if v > 0] or [1.0]
        return [v if v > 0 else min(positive) / 3 for v in values]


@dataclass(frozen=True, kw_only=True)
class Curve:
    """One system's values at places along x; nan where it has no cell or the cell failed."""

    system: System
    x: Sequence[float]
    values: Sequence[Interval]
    unfaithful: Sequence[bool]
    failed: Sequence[bool]
    name: str = ""  # in the place of the system's

    @property
    def label(self) -> str:
        """How the curve is called."""
        return self.name or self.system.label


@dataclass(frozen=True, kw_only=True)
class Panel:
    """A title, an x axis and the curves over it."""

    title: str
    axis: Axis
    curves: Sequence[Curve]


def at_latency(
    view: View, measure: Measure, systems: Sequence[System], latency_s: float, axis: Axis | None = None
) -> Panel:
    """The panel of one latency, bandwidth along x."""
    axis = axis or Axis(label=BANDWIDTH, values=view.bandwidths, text=bandwidth_text)
    along = [(bandwidth, latency_s) for bandwidth in axis.values]
    curves = [curve(view, measure, system, axis, along) for system in systems]
    return Panel(title=f"latency {latency_text(latency_s)}", axis=axis, curves=curves)


def at_bandwidth(
    view: View,
    measure: Measure,
    systems: Sequence[System],
    bandwidth_bit_per_s: float,
    axis: Axis | None = None,
) -> Panel:
    """The panel of one bandwidth, latency along x."""
    axis = axis or Axis(label=LATENCY, values=view.latencies, text=latency_text)
    along = [(bandwidth_bit_per_s, latency) for latency in axis.values]
    curves = [curve(view, measure, system, axis, along) for system in systems]
    return Panel(title=f"bandwidth {bandwidth_text(bandwidth_bit_per_s)}", axis=axis, curves=curves)


def curve(view: View, measure: Measure, system: System, axis: Axis, along: Sequence[Network]) -> Curve:
    """A system's curve over the networks `along` the axis."""
    points = [view.point(system, network) for network in along]
    return Curve(
        system=system,
        x=axis.places(axis.values),
        values=[measure.value(view, system, network) for network in along],
        unfaithful=[not measure.faithful(view, system, network) for network in along],
        failed=[p is not None and p.failed for p in points],
    )


def draw(
    panels: Sequence[Panel],
    *,
    title: str,
    note: str,
    y_label: str,
    y_text: Callable[[float], str],
    reference: float | None = None,
) -> Figure:
    """The figure; `reference` draws a level line."""
    curves = [c for panel in panels for c in panel.curves]
    marks = [HOLLOW] * any(any(c.unfaithful) for c in curves) + [CROSS] * any(any(c.failed) for c in curves)
    longest = max((len(_label(c)) for c in curves), default=0)
    right_in = 0.35 + INCHES_PER_CHARACTER * longest
    figure, axes = canvas.grid(len(panels), title=title, note="; ".join([note, *marks]) + ".", right_in=right_in)
    limits = common_limits(panels, reference)
    for ax, panel in zip(axes, panels, strict=True):
        ax.set_title(panel.title)
        scales(ax, panel.axis, limits, y_text)
        ax.set_xlabel(panel.axis.label)
        ax.set_ylabel(y_label)
        if reference is not None:
            ax.axhline(reference, color="#999999", linewidth=0.9, zorder=1, gid="reference")
        draw_curves(ax, panel.curves)
    return figure


def draw_curves(ax: Axes, curves: Sequence[Curve]) -> None:
    """Lines with bands and marks, and their names, on axes whose limits are set."""
    draw_lines(ax, curves)
    _label_ends(ax, curves)


def draw_lines(ax: Axes, curves: Sequence[Curve]) -> None:
    """The same without their names."""
    for one in curves:
        _draw_curve(ax, one)
    _draw_failures(ax, curves)


def _draw_curve(ax: Axes, curve: Curve) -> None:
    look, x = curve.system.look, curve.x
    y = np.array([v.value for v in curve.values])
    line, = ax.plot(x, y, color=look.colour, marker=look.marker, label=curve.label, zorder=3,
                    markeredgecolor=look.colour)  # fmt: skip
    if look.dash:
        line.set_dashes(look.dash)
    low, high = ([getattr(v, end) for v in curve.values] for end in ("low", "high"))
    ax.fill_between(x, low, high, color=look.colour, alpha=0.18, linewidth=0, zorder=2)
    hollow = [i for i, flag in enumerate(curve.unfaithful) if flag]
    if hollow:
        line.set_markevery([i for i, flag in enumerate(curve.unfaithful) if not flag])
        ax.plot([x[i] for i in hollow], y[hollow], linestyle="none", marker=look.marker, markersize=6,
                markerfacecolor="white", markeredgecolor=look.colour, zorder=4, gid="unfaithful")  # fmt: skip


def _draw_failures(ax: Axes, curves: Sequence[Curve]) -> None:
    """A cross per failed cell at the panel's foot, one above the other where several systems failed."""
    height: dict[float, int] = {}
    cross: dict[str, Any] = {"marker": "x", "markersize": 5, "markeredgewidth": 1.4, "zorder": 5}
    for one in curves:
        for x, failed in zip(one.x, one.failed, strict=True):
            if failed:
                level = height[x] = height.get(x, -1) + 1
                ax.plot(x, 0.03 + 0.045 * level, transform=ax.get_xaxis_transform(), gid="failed",
                        color=one.system.look.colour, clip_on=False, **cross)  # fmt: skip


def _label_ends(ax: Axes, curves: Sequence[Curve]) -> None:
    """Each system's name beside its last point; thin leaders, because labels must keep apart."""
    labelled = [one for one in curves if any(one.failed) or _end(ax, one)]
    ends = [_end(ax, one) for one in labelled]
    height_pt = ax.get_window_extent().height * 72 / ax.get_figure(root=True).dpi  # type: ignore[union-attr]
    heights = spread([end[1] if end else 0.0 for end in ends], LABEL_PT * 1.3 / height_pt)
    for one, end, y in zip(labelled, ends, heights, strict=True):
        style: dict[str, Any] = {"color": one.system.look.colour, "transform": ax.transAxes}
        ax.text(1.065, y, _label(one), va="center", size=LABEL_PT, gid="label", **style)
        if end:
            ax.plot([end[0], 1.055], [end[1], y], linewidth=0.6, clip_on=False, gid="leader", **style)


def _end(ax: Axes, curve: Curve) -> tuple[float, float] | None:
    """The curve's last point from left to right, in fractions of the panel; None if nothing was measured."""
    known = [i for i, v in enumerate(curve.values) if math.isfinite(v.value)]
    if not known:
        return None
    last = min(known) if ax.xaxis_inverted() else max(known)
    x, y = (ax.transData + ax.transAxes.inverted()).transform((curve.x[last], curve.values[last].value))
    return float(x), float(y)


def _label(curve: Curve) -> str:
    nothing = not any(math.isfinite(v.value) for v in curve.values) and any(curve.failed)
    return f"{curve.label}: failed" if nothing else curve.label


def scales(
    ax: Axes, axis: Axis, limits: tuple[float, float], y_text: Callable[[float], str], gap: float = 0.075
) -> None:
    """Logarithmic axes with ticks where the axis has values; `gap` is the least of two ticks, as a share of x."""
    ax.set_xscale("log")
    ax.set_yscale("log")
    places = axis.places(axis.values)
    pad = (max(places) / min(places)) ** 0.04 if max(places) > min(places) else 1.5
    ends = (min(places) / pad, max(places) * pad)
    ax.set_xlim(*(reversed(ends) if axis.falling else ends))
    ax.set_ylim(*limits)
    shown = _apart(places, gap * math.log(ends[1] / ends[0]))
    ticks(ax.xaxis, [places[i] for i in shown], [axis.text(axis.values[i]) for i in shown])
    marks = levels(*limits)
    ticks(ax.yaxis, marks, [y_text(level) for level in marks])
    ax.tick_params(axis="x", labelrotation=35)
    for text in ax.get_xticklabels():
        text.set(ha="right", rotation_mode="anchor")


def ticks(axis: object, places: Sequence[float], texts: Sequence[str]) -> None:
    """Ticks of an axis at these places and no others."""
    axis.set_major_locator(FixedLocator(places))  # type: ignore[attr-defined]
    axis.set_major_formatter(FixedFormatter(texts))  # type: ignore[attr-defined]
    axis.set_minor_locator(NullLocator())  # type: ignore[attr-defined]


def _apart(places: Sequence[float], gap: float) -> list[int]:
    """Indices of places whose logarithms are at least `gap` apart, with both ends."""
    shown = [0]
    last = len(places) - 1
    for i in range(1, last):
        if min(math.log(places[i] / places[shown[-1]]), math.log(places[last] / places[i])) >= gap:
            shown.append(i)
    return shown + [last] * (last > 0)


def levels(low: float, high: float) -> list[float]:
    """Round numbers between the limits of a logarithmic axis: as many as is no crowd, and two at least."""
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for steps in ((1, 1.5, 2, 3, 4, 5, 6, 8), (1, 2, 5), (1, 3), (1,)):
        found = [s * 10.0**d for d in decades for s in steps if low <= s * 10.0**d <= high]
        if len(found) <= CROWD:
            break
    return found if len(found) > 1 else _between(low, high)


def _between(low: float, high: float) -> list[float]:
    """Levels of an axis that is not long enough for round numbers of one digit."""
    found = MaxNLocator(nbins=CROWD // 2, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high)
    return [float(level) for level in found if low <= level <= high]


def common_limits(panels: Sequence[Panel], reference: float | None) -> tuple[float, float]:
    """Common limits of all panels, so that heights compare; room below for the crosses of failed cells."""
    curves = [c for panel in panels for c in panel.curves]
    known = [v.value for c in curves for v in c.values if math.isfinite(v.value) and v.value > 0]
    known += [reference] if reference is not None else []
    low, high = min(known, default=1.0), max(known, default=10.0)
    margin = max((high / low) ** 0.06, 1.08)
    crosses = max((sum(any(c.failed) for c in panel.curves) for panel in panels), default=0)
    return low / margin / (high / low * margin) ** (0.05 * crosses), high * margin
