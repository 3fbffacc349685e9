"""What a training recorded, against emulated time: a panel per network, a line per system, its band over the seeds."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from reports import canvas, curves, panels
from reports.emulated import Emulated, network_text
from reports.quantities import printable, seconds_text
from reports.systems import System
from reports.view import Network

COLUMNS, PANEL_IN, RIGHT_IN = 3, (3.1, 2.5), 0.1
LEGEND_ROW_IN, HANDLE_IN, TITLE_IN = 0.19, 0.7, 0.26  # a row of the legend; a line before a name; a panel's title
MOST_PANELS = 9  # of a figure


def figures(shown: Emulated, quantity: curves.Quantity, title: str) -> Iterator[Figure]:
    """All networks, a panel each, on as many figures as it takes."""
    networks = list(shown.epoch_s)
    for start in range(0, len(networks), MOST_PANELS):
        parts = {network_text(network): network for network in networks[start : start + MOST_PANELS]}
        if figure := draw(shown, quantity, parts, title=title):
            yield figure


def draw(
    shown: Emulated,
    quantity: curves.Quantity,
    parts: Mapping[str, Network],
    *,
    title: str,
    names: Mapping[System, str] | None = None,
) -> Figure | None:
    """A panel for each of `parts` that there are times of, one legend; None where nothing was recorded.

    `names` are in the place of the systems' own.
    """
    known = {
        part: _curves(shown, quantity, network, names or {})
        for part, network in parts.items()
        if network in shown.epoch_s
    }
    everything = [curve for of in known.values() for curve in of]
    if not any(math.isfinite(value.value) for curve in everything for value in curve.values):
        return None
    crosses = [curves.CROSS] * any(any(curve.failed) for curve in everything)
    in_a_row = _names_in_a_row([curve.label for curve in everything], min(len(known), COLUMNS))
    figure, axes = canvas.grid(
        len(known),
        title=printable(title),
        note="; ".join([curves.seeds_note(shown.training), *crosses]) + ".",
        columns=COLUMNS,
        panel_in=PANEL_IN,
        right_in=RIGHT_IN,
        head_in=LEGEND_ROW_IN * -(-len({curve.label for curve in everything}) // in_a_row),
    )
    for ax, (part, of) in zip(axes, known.items(), strict=True):
        _panel(ax, part, of, everything, quantity)
    _legend(axes[0], everything, in_a_row)
    return figure


def _names_in_a_row(labels: Sequence[str], columns: int) -> int:
    """How many names the legend has room for, above so many panels."""
    width_in = columns * (canvas.LEFT_IN + PANEL_IN[0] + RIGHT_IN) - canvas.LEFT_IN
    return max(1, int(width_in / (HANDLE_IN + panels.INCHES_PER_CHARACTER * max(map(len, labels)))))


def _curves(
    shown: Emulated, quantity: curves.Quantity, network: Network, names: Mapping[System, str]
) -> list[panels.Curve]:
    """A curve for each system with times there: its band over the seeds at the end of each epoch."""
    found = []
    for system in shown.training.systems:
        epoch = shown.epoch_s[network].get(system)
        if epoch is not None:
            one = curves.curve(shown.training, system, quantity, epoch.value)
            found.append(replace(one, name=names.get(system, "")))
    return found


def _panel(
    ax: Axes, part: str, of: Sequence[panels.Curve], everything: Sequence[panels.Curve], quantity: curves.Quantity
) -> None:
    ax.set_title(part)
    ax.set_xlabel("emulated time")
    ax.set_ylabel(quantity.label)
    ax.set_xlim(0, 1.04 * max((x for curve in of for x in curve.x), default=1.0))
    ax.xaxis.set_major_locator(MaxNLocator(nbins=5))
    ax.xaxis.set_major_formatter(lambda seconds, _: seconds_text(seconds))
    if quantity.logarithmic:
        curves.logarithmic(ax, everything)
    panels.draw_lines(ax, of)


def _legend(first: Axes, everything: Sequence[panels.Curve], in_a_row: int) -> None:
    """Each system once, above the first panel."""
    handles = {
        curve.label: Line2D(
            [], [], color=look.colour, marker=look.marker, linestyle=(0, look.dash) if look.dash else "-"
        )
        for curve in everything
        for look in (curve.system.look,)
    }
    first.legend(list(handles.values()), list(handles), loc="lower left", ncols=in_a_row, frameon=False, handlelength=3,
                 bbox_to_anchor=(0, 1 + TITLE_IN / PANEL_IN[1]), borderaxespad=0, labelspacing=0.3)  # fmt: skip
