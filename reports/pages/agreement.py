"""The labs beside each other: communication times of the same cells in real and in virtual time."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, NullFormatter

from reports import canvas
from reports.claims import Verdict
from reports.pages import Content, Drawing, Grid, PageKind
from reports.quantities import bandwidth_text, latency_text, seconds_text
from reports.systems import System
from reports.view import Network, View, views

WITHIN = 0.05
FILLS = {"ring": "none", "star": "full", "tree": "left"}  # of a marker, as its colour and shape are the system's


@dataclass(frozen=True, kw_only=True)
class Pair:
    """One cell in both labs."""

    view: View  # the host lab's
    system: System
    network: Network
    host_s: float  # of communication in a step; nan where it was not measured
    virtual_s: float
    why: str  # it was not

    @property
    def ratio(self) -> float:
        """Host over virtual."""
        return self.host_s / self.virtual_s

    @property
    def verdict(self) -> Verdict:
        """Whether the labs agree on it."""
        if math.isnan(self.ratio):
            return Verdict.NOT_TESTED
        return Verdict.AGREE if abs(self.ratio - 1) <= WITHIN else Verdict.DISAGREE

    @property
    def row(self) -> list[str]:
        """For the page's table."""
        where = [self.view.setting["topology"], bandwidth_text(self.network[0]), latency_text(self.network[1])]
        if math.isnan(self.ratio):
            return [*where, self.system.label, "", "", "", str(self.verdict), self.why]
        times = [seconds_text(self.virtual_s), seconds_text(self.host_s), f"{self.ratio:.3f}"]
        return [*where, self.system.label, *times, str(self.verdict), ""]


def build(table: pd.DataFrame) -> Content | None:
    """The page; None for a run without cells that both labs measured."""
    found = list(pairs(table))
    if not found:
        return None
    tested = [pair for pair in found if pair.verdict is not Verdict.NOT_TESTED]
    agreeing = sum(pair.verdict is Verdict.AGREE for pair in tested)
    farthest = max((pair.ratio for pair in tested), key=lambda ratio: abs(ratio - 1), default=math.nan)
    return Content(
        summary=f"{len(found)} cells in both labs: communication times of {agreeing} agree within {WITHIN:.0%}, "
        f"{len(tested) - agreeing} do not, {len(found) - len(tested)} were not tested. "
        f"Farthest apart: {farthest:.3f} of the virtual lab's time.",
        drawings=[
            Drawing(
                name="agreement",
                figure=draw(tested),
                view=found[0].view,
                alt="Communication time in the host lab over that in the virtual lab, for every cell",
            )
        ]
        if tested
        else [],
        grids=[
            Grid(
                heading="Every cell",
                caption="Time of communication in a step, mean over workers and steps.",
                header=["topology", "bandwidth", "latency", "system", "virtual", "host", "ratio", "verdict", "why"],
                rows=[pair.row for pair in found],
            )
        ],
    )


def pairs(table: pd.DataFrame) -> Iterator[Pair]:
    """The cells that a run has in both labs."""
    found = views(table)
    for host in (view for view in found if view.setting["lab"] == "host"):
        same = [v for v in found if v.setting["lab"] == "virtual" and _place(v) == _place(host)]
        for virtual in same:
            yield from _of_views(host, virtual)


def _place(view: View) -> str:
    """The setting but for the lab; as text, since a setting that is not there is nan, which equals nothing."""
    return str({key: value for key, value in view.setting.items() if key != "lab"})


def _of_views(host: View, virtual: View) -> Iterator[Pair]:
    for system in host.systems:
        for network, point in sorted(host.points[system].items()):
            other = virtual.point(system, network)
            if other is None:
                continue
            yield Pair(
                view=host,
                system=system,
                network=network,
                host_s=math.nan if point.failed else point.parts_s["communicate"],
                virtual_s=math.nan if other.failed else other.parts_s["communicate"],
                why="; ".join(
                    f"{lab} lab: {one.reason}" for lab, one in (("host", point), ("virtual", other)) if one.failed
                ),
            )


def draw(tested: list[Pair]) -> Figure:
    """Ratio over the virtual lab's time, a mark a cell; the band is what counts as agreement."""
    figure, (ax,) = canvas.grid(
        1,
        title="The labs beside each other",
        note=f"One mark a cell; grey: within {WITHIN:.0%}. Empty marks: ring, full: star, half: tree.",
        panel_in=(6.2, 3.2),
        right_in=1.6,
    )
    ax.axhspan(1 - WITHIN, 1 + WITHIN, color="#e4e4e4", zorder=0)
    ax.axhline(1.0, color="#888888", linewidth=0.8, zorder=1)
    for pair in tested:
        look, fill = pair.system.look, FILLS.get(pair.view.setting["topology"], "full")
        ax.plot(
            pair.virtual_s, pair.ratio, marker=look.marker, color=look.colour, fillstyle=fill,
            markerfacecoloralt="white", linestyle="none", markersize=6,
        )  # fmt: skip
    systems = list(dict.fromkeys(pair.system for pair in tested))
    ax.legend(
        handles=[Line2D([], [], color=s.look.colour, marker=s.look.marker, linestyle="none") for s in systems],
        labels=[s.label for s in systems],
        loc="upper left",
        bbox_to_anchor=(1.0, 1.0),
        frameon=False,
    )
    farthest = max(WITHIN, *(abs(pair.ratio - 1) for pair in tested))
    ax.set(xscale="log", ylim=(1 - 1.2 * farthest, 1 + 1.2 * farthest))
    ax.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    ax.xaxis.set_major_formatter(lambda seconds, _: seconds_text(seconds))
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.set_xlabel("communication of a step in the virtual lab")
    ax.set_ylabel("host lab over virtual lab")
    return figure


PAGE = PageKind(
    name="agreement",
    title="The labs beside each other",
    source="The same cells on this machine's own kernel in real time, and in virtual time (docs/host-lab.md)",
    build=build,
)
