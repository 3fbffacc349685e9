"""Heat map: the fastest system on each network, and by how much it beats allreduce."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle

from reports import canvas
from reports.figures import FigureKind
from reports.looks import luminance
from reports.measures import both_faithful
from reports.quantities import bandwidth_text, latency_text, ratio_text
from reports.systems import System
from reports.view import Network, View

NOTE = (
    "colour: the fastest system; number: its speed-up over allreduce fp32; 'or' names systems whose "
    "intervals overlap the fastest's, so that the run does not tell them apart; 'unfaithful': the network's "
    "probe was off"
)
CELL_IN = (1.28, 0.85)
ABSENT, FAILED = "#ffffff", "#d0d0d0"


@dataclass(frozen=True)
class Winner:
    """The fastest system on a network, and those that may be as fast."""

    system: System
    ties: tuple[System, ...]
    speedup: float  # over the baseline; nan where there is none
    faithful: bool


def winner(view: View, network: Network) -> Winner | None:
    """The fastest measured system there; None where none was measured."""
    found = {s: p for s in view.systems if (p := view.point(s, network)) is not None and not p.failed}
    if not found:
        return None
    best = min(found, key=lambda s: found[s].epoch_s.value)
    ties = tuple(s for s in found if s != best and found[s].epoch_s.overlaps(found[best].epoch_s))
    return Winner(best, ties, view.speedup(best, network).value, both_faithful(view, best, network))


def draw(view: View) -> Figure | None:
    """Bandwidth along x, latency along y, a coloured cell per network; None where nothing was measured."""
    bandwidths, latencies = view.bandwidths, view.latencies
    networks = [(b, latency) for latency in latencies for b in bandwidths]
    winners = {network: winner(view, network) for network in networks}
    if not any(winners.values()):
        return None
    size = (max(CELL_IN[0] * len(bandwidths), 5.5), CELL_IN[1] * len(latencies))
    figure, (ax,) = canvas.grid(1, title=f"Fastest system: {view.name}", note=NOTE + ".", panel_in=size, right_in=0.2)
    for network in networks:
        place = (bandwidths.index(network[0]), latencies.index(network[1]))
        _cell(ax, place, winners[network], _without_winner(view, network))
    ax.set(xlim=(-0.5, len(bandwidths) - 0.5), ylim=(-0.5, len(latencies) - 0.5))
    ax.set_xticks(range(len(bandwidths)), [bandwidth_text(b) for b in bandwidths])
    ax.set_yticks(range(len(latencies)), [latency_text(latency) for latency in latencies])
    ax.grid(visible=False)
    ax.set_xlabel("bandwidth of every link")
    ax.set_ylabel("latency")
    _legend(ax, [s for s in view.systems if any(w and w.system == s for w in winners.values())])
    return figure


def _cell(ax: Axes, place: tuple[int, int], won: Winner | None, otherwise: str) -> None:
    x, y = place
    colour = won.system.look.colour if won else FAILED if otherwise else ABSENT
    edge = {"linestyle": (0, (3, 2)), "edgecolor": "#d00000"} if won and not won.faithful else {"edgecolor": "white"}
    inset = 0.02
    ax.add_patch(
        Rectangle(
            (x - 0.5 + inset, y - 0.5 + inset),
            1 - 2 * inset,
            1 - 2 * inset,
            facecolor=colour,
            linewidth=1.6,
            gid=won.system.label if won else "none",
            **edge,
        )
    )
    text_colour = ink(colour)
    if won is None:
        ax.text(x, y, otherwise, ha="center", va="center", size=7.5, color=text_colour)
        return
    small = [*_ties(won), *(["unfaithful"] if not won.faithful else [])]
    speedup = "no allreduce" if math.isnan(won.speedup) else ratio_text(won.speedup)
    ax.text(x, y + (0.16 if small else 0), speedup, ha="center", va="center", weight="bold",
            size=8 if math.isnan(won.speedup) else 10.5, color=text_colour)  # fmt: skip
    ax.text(x, y - 0.2, "\n".join(small), ha="center", va="center", size=6.5, color=text_colour)


def _ties(won: Winner) -> list[str]:
    """One line, or two, that fit into a cell."""
    labels = [system.label for system in won.ties]
    if len(labels) > 2:
        return [f"or {labels[0]}", f"or {len(labels) - 1} others"]
    return [f"or {label if len(label) <= 20 else label[:19] + '…'}" for label in labels]


def _without_winner(view: View, network: Network) -> str:
    """What a cell without a winner says: failed, or nothing where the run has no such cells."""
    return "failed" if any(view.point(s, network) for s in view.systems) else ""


def ink(colour: str) -> str:
    """Black or white, whichever reads on the colour."""
    return "black" if luminance(colour) > 0.179 else "white"


def _legend(ax: Axes, systems: Sequence[System]) -> None:
    handles = [Patch(facecolor=s.look.colour, label=s.label) for s in systems]
    ax.legend(handles=handles, loc="lower left", bbox_to_anchor=(0, 1.0), ncols=len(handles), frameon=False,
              borderaxespad=0.2, handlelength=1.2, columnspacing=1.6)  # fmt: skip


FIGURES = (
    FigureKind(
        name="fastest",
        title="Fastest system over bandwidth and latency",
        reading="Find your link's bandwidth and latency: the colour names the system with the shortest epoch, "
        "the number says how many times faster than allreduce in fp32 it is.",
        order=50,
        draw=draw,
    ),
)
