"""The fastest system on each network, with its speed-up over allreduce."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle

from reports.figures.fastest import FAILED, Winner, ink, winner
from reports.paper import PaperFigure
from reports.paper.numbers import where
from reports.paper.sheet import Sheet
from reports.quantities import bandwidth_text, latency_text, ratio_text
from reports.systems import System
from reports.view import Network, View

ROW_IN, REST_IN = 0.27, 0.6  # the height of a row, and of ticks and labels
LEAST_NUMBER_IN = 0.3  # of a cell that has room for a number of 7 points
LEFT_IN = 0.6
TIE = "\N{ALMOST EQUAL TO}"


def draw(view: View, sheet: Sheet) -> Figure | None:
    """Bandwidth along x, latency along y; None where nothing was measured."""
    found = _winners(view)
    if not found:
        return None
    systems = _shown(view)
    labels = [system.label for system in systems]
    height_in = REST_IN + ROW_IN * len(view.latencies)
    (ax,) = sheet.grid(1, height_in=height_in, columns=1, legend_rows=sheet.legend_rows(labels))
    for network in _networks(view):
        _cell(ax, view, network, found.get(network), numbered=_has_room(view, sheet))
    ax.set(xlim=(-0.5, len(view.bandwidths) - 0.5), ylim=(-0.5, len(view.latencies) - 0.5))
    ax.set_xticks(range(len(view.bandwidths)), [bandwidth_text(b) for b in view.bandwidths], rotation=35, ha="right",
                  rotation_mode="anchor")  # fmt: skip
    ax.set_yticks(range(len(view.latencies)), [latency_text(latency) for latency in view.latencies])
    ax.grid(visible=False)
    ax.set_xlabel("bandwidth")
    ax.set_ylabel("latency")
    figure = ax.get_figure(root=True)
    assert figure is not None
    sheet.legend(figure, [Patch(facecolor=system.look.colour) for system in systems], labels)
    return figure


def _cell(ax: Axes, view: View, network: Network, won: Winner | None, numbered: bool) -> None:
    x, y = view.bandwidths.index(network[0]), view.latencies.index(network[1])
    if won is None:
        if any(view.point(system, network) for system in view.systems):
            ax.add_patch(Rectangle((x - 0.5, y - 0.5), 1, 1, facecolor=FAILED, edgecolor="white", gid="failed"))
            ax.text(x, y, "failed", ha="center", va="center", size=7)
        return
    colour = won.system.look.colour
    hatch = None if won.faithful else "////"
    ax.add_patch(
        Rectangle((x - 0.5, y - 0.5), 1, 1, facecolor=colour, edgecolor="white", gid=won.system.label, hatch=hatch)
    )
    text = (TIE if won.ties else "") + ("" if math.isnan(won.speedup) else ratio_text(won.speedup)[:-1])
    if numbered and text:
        ax.text(x, y, text, ha="center", va="center", size=7, color=ink(colour))


def numbers(view: View) -> pd.DataFrame:
    """A row for each network that has a measured system."""
    return pd.DataFrame(_rows(view))


def _rows(view: View) -> Iterator[dict[str, Any]]:
    for network, won in _winners(view).items():
        speedup = view.speedup(won.system, network)
        yield where(network, won.system) | {
            "speedup": speedup.value,
            "speedup_low": speedup.low,
            "speedup_high": speedup.high,
            "ties": "; ".join(system.label for system in won.ties),
            "state": "measured" if won.faithful else "unfaithful",
        }


def caption(view: View) -> str:
    """What colours and numbers are."""
    found = _winners(view).values()
    words = [f"The fastest system: {view.name}", "number: its speed-up over allreduce fp32"]
    words += [f"{TIE}: not told apart from others by their intervals"] * any(won.ties for won in found)
    words += ["hatched: the network's probe was off"] * any(not won.faithful for won in found)
    return "; ".join(words)


def _winners(view: View) -> dict[Network, Winner]:
    return {network: won for network in _networks(view) if (won := winner(view, network))}


def _networks(view: View) -> list[Network]:
    return [(bandwidth, latency) for latency in view.latencies for bandwidth in view.bandwidths]


def _shown(view: View) -> list[System]:
    """Systems that win somewhere, in the legend's order."""
    won = {winner.system for winner in _winners(view).values()}
    return [system for system in view.systems if system in won]


def _has_room(view: View, sheet: Sheet) -> bool:
    return (sheet.width_in - LEFT_IN) / len(view.bandwidths) >= LEAST_NUMBER_IN


FIGURES = (PaperFigure(name="fastest", needs="measured cells", draw=draw, numbers=numbers, caption=caption),)
