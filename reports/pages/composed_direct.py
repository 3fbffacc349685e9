"""Two ways to a loss against emulated time: composed of a sweep's steps, and measured as the training took it."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from reports import canvas, panels
from reports.claims import Target, Verdict
from reports.pages import Content, Drawing, Grid, PageKind
from reports.quantities import bandwidth_text, latency_text, seconds_text
from reports.systems import System
from reports.training import REQUIRED, SETTING, Training, trainings
from reports.view import Interval, Network, tried_rows

AGREEMENT = Target(low=0.98, high=1.02)  # of the last epoch's end, measured over composed; fixed before measuring
COMPOSED, MEASURED = "composed", "measured"
PLACE = (
    "lab", "topology", "arity", "bandwidth_bit_per_s", "trunk_bit_per_s", "latency_s", "jitter_s", "packet_loss",
    "slow_start_after_idle", "straggler", "schedule", "emulated_device", "compute_scale", "containers",
)  # fmt: skip

Row = Mapping[Any, Any]


@dataclass(frozen=True, kw_only=True)
class Pair:
    """One system's training with one seed on one network, both ways: its epochs, in order."""

    system: System
    network: Network
    place: str  # the network in words
    seed: int
    composed: Sequence[Row]
    measured: Sequence[Row]

    @property
    def ends_s(self) -> tuple[float, float]:
        """When the last epoch that both have was over: composed, measured."""
        last = min(len(self.composed), len(self.measured)) - 1
        return float(self.composed[last]["emulated_s"]), float(self.measured[last]["emulated_s"])

    @property
    def ratio(self) -> float:
        """Measured over composed."""
        composed_s, measured_s = self.ends_s
        return measured_s / composed_s

    @property
    def same_losses(self) -> bool:
        """Whether both have the same training losses, to the last bit."""
        return all(a["train_loss"] == b["train_loss"] for a, b in zip(self.composed, self.measured, strict=False))

    @property
    def verdict(self) -> Verdict:
        """Whether the two ways agree."""
        if not self.same_losses:
            return Verdict.DISAGREE
        return AGREEMENT.judge(Interval(self.ratio, self.ratio, self.ratio))

    @property
    def row(self) -> list[str]:
        """For the page's table."""
        times = [seconds_text(end_s) for end_s in self.ends_s]
        losses = "the same" if self.same_losses else "differ"
        return [
            self.place, self.system.label, str(self.seed), *times, f"{self.ratio:.4f}", losses, str(self.verdict)
        ]  # fmt: skip


def build(table: pd.DataFrame) -> Content | None:
    """The page; None for a training that has not both ways to any system's time."""
    found = list(pairs(table))
    if not found:
        return None
    agreeing = sum(pair.verdict is Verdict.AGREE for pair in found)
    farthest = max((pair.ratio for pair in found), key=lambda ratio: abs(ratio - 1))
    return Content(
        summary=f"{len(found)} trainings both ways: {agreeing} agree, with the same losses and the last epoch's end "
        f"{AGREEMENT.text} of the composed one; {len(found) - agreeing} do not. Farthest apart: {farthest:.4f}.",
        notes=(
            "Composed: losses of a training in one process, against as many of a sweep's mean steps. Measured: the "
            "training's own workers over the emulated network, every epoch from its first worker's beginning to its "
            "last worker's end, TCP's first slow start included.",
        ),
        drawings=list(_drawings(found, trainings(table))),
        grids=[
            Grid(
                heading="Every training",
                caption="End of the last epoch in emulated time; the ratio is measured over composed.",
                header=["network", "system", "seed", "composed", "measured", "ratio", "training losses", "verdict"],
                rows=[pair.row for pair in found],
            )
        ],
    )


def pairs(table: pd.DataFrame) -> Iterator[Pair]:
    """What a training's table has both ways."""
    if "timing" not in table.columns:
        return
    rows = tried_rows(table, REQUIRED)
    ways: dict[str, dict[str, list[Row]]] = defaultdict(lambda: defaultdict(list))
    for row in rows.to_dict("records"):
        if row["timing"] in (COMPOSED, MEASURED) and not pd.isna(row["emulated_s"]) and not pd.isna(row["train_loss"]):
            same = [str(row[key]) for key in (*SETTING, "seed", *PLACE)]
            ways[str([row["_system"], *same])][row["timing"]].append(row)
    for both in ways.values():
        if both.keys() >= {COMPOSED, MEASURED}:
            yield _pair(*(sorted(both[way], key=lambda row: int(row["epoch"])) for way in (COMPOSED, MEASURED)))


def _pair(composed: Sequence[Row], measured: Sequence[Row]) -> Pair:
    one = measured[0]
    network = float(one["bandwidth_bit_per_s"]), float(one["latency_s"])
    place = [f"{one['topology']} of {one['workers']}", bandwidth_text(network[0]), latency_text(network[1])]
    return Pair(
        system=one["_system"],
        network=network,
        place=", ".join(place),
        seed=int(one["seed"]),
        composed=composed,
        measured=measured,
    )


def _drawings(found: Sequence[Pair], shown: Sequence[Training]) -> Iterator[Drawing]:
    places = list(dict.fromkeys(pair.place for pair in found))
    alt = f"Training loss against emulated time, composed and measured: {'; '.join(places)}"
    view = _BothWays(found, shown[0])
    yield Drawing(name="composed-direct", figure=draw(found, places, shown[0].size), view=view, alt=alt)


@dataclass(frozen=True)
class _BothWays:
    """Where a figure's numbers come from that has trainings of both kinds."""

    pairs: Sequence[Pair]
    training: Training

    @property
    def origin(self) -> list[str]:
        """For its foot."""
        labs = sorted({str(pair.measured[0]["lab"]) for pair in self.pairs})
        seeds = self.training.origin[0]
        return [seeds, f"trained in one process, and over networks of the {'/'.join(labs)} lab"]


def draw(found: Sequence[Pair], places: Sequence[str], size: str) -> Figure:
    """A panel for each network: composed times as lines, measured ones as empty marks upon them."""
    longest = max(len(pair.system.label) for pair in found)
    figure, axes = canvas.grid(
        len(places),
        title="Loss against emulated time, composed and measured",
        note=f"{size}. Line with dots: composed; circle: measured.",
        panel_in=(5.2, 3.0),
        right_in=0.5 + panels.INCHES_PER_CHARACTER * longest,
    )
    for ax, place in zip(axes, places, strict=True):
        _panel(ax, place, [pair for pair in found if pair.place == place])
    return figure


def _panel(ax: Axes, place: str, shown: Sequence[Pair]) -> None:
    ax.set(title=place, xlabel="emulated time (s)", ylabel="training loss")
    for pair in shown:
        colour, dash = pair.system.look.colour, pair.system.look.dash
        (line,) = ax.plot(*_points(pair.composed), color=colour, marker=".", markersize=4)
        if dash:
            line.set_dashes(dash)
        ax.plot(*_points(pair.measured), color=colour, marker="o", markersize=9, fillstyle="none", linestyle="none")
    systems = list(dict.fromkeys(pair.system for pair in shown))
    ax.legend(
        handles=[Line2D([], [], color=system.look.colour) for system in systems],
        labels=[system.label for system in systems],
        loc="upper left",
        bbox_to_anchor=(1.0, 1.0),
        frameon=False,
    )
    ax.set_xlim(left=0)
    if min(y for pair in shown for y in _points(pair.composed)[1]) > 0:
        ax.set_yscale("log")
        low, high = ax.get_ylim()
        marks = [mark for mark in panels.levels(low, high) if low <= mark <= high]
        panels.ticks(ax.yaxis, marks, [f"{mark:.3g}" for mark in marks])


def _points(rows: Sequence[Row]) -> tuple[list[float], list[float]]:
    known = [row for row in rows if math.isfinite(row["train_loss"])]
    return [float(row["emulated_s"]) for row in known], [float(row["train_loss"]) for row in known]


TRAINING_PAGE = PageKind(
    name="composed-direct",
    title="Emulated time, composed and measured",
    source="The same trainings with a sweep's times, and over the network themselves (docs/training.md)",
    build=build,
)
