"""The changes as a figure: a point with its 95 % interval for each cell, largest change on top."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from reports import canvas, looks
from reports.comparison.comparing import Compared, Comparison, Verdict
from reports.panels import INCHES_PER_CHARACTER
from reports.quantities import change_text

MOST = 40  # cells that a figure can show
STYLES = {
    Verdict.SLOWER: (looks.VERMILION, "v"),
    Verdict.FASTER: (looks.BLUE, "^"),
    Verdict.SAME: (looks.GREY, "o"),
}
ROW_IN = 0.2


def draw(comparison: Comparison, bound: float | None = None) -> Figure | None:
    """Up to `MOST` cells, and the bound of a check as a dashed line; None where none could be compared."""
    shown = comparison.cells[:MOST]
    if not shown:
        return None
    left = (
        f"; the largest changes, of {len(shown)} of {len(comparison.cells)} cells"
        if len(shown) < len(comparison.cells)
        else ""
    )
    dashed = "" if bound is None else "; dashed: the bound of the check"
    with canvas.style():
        figure, (ax,) = canvas.grid(
            1,
            title="Change of the epoch time from A to B",
            note=f"right of the line B takes longer; bars: 95 % intervals{left}{dashed}.",
            panel_in=(4.6, ROW_IN * len(shown) + 0.2),
            left_in=0.4 + INCHES_PER_CHARACTER * max(len(cell.place.text) for cell in shown),
        )
        _draw(ax, shown, bound)
    return figure


def _draw(ax: Axes, cells: Sequence[Compared], bound: float | None) -> None:
    for height, cell in enumerate(cells):
        colour, marker = STYLES[cell.verdict]
        ax.plot([cell.ratio.low - 1, cell.ratio.high - 1], [height] * 2, color=colour, linewidth=1.4)
        ax.plot(cell.ratio.value - 1, height, color=colour, marker=marker, linestyle="none", gid=cell.verdict.value)
    ax.axvline(0.0, color="#999999", linewidth=0.9, zorder=1)
    if bound is not None:
        ax.axvline(bound, color="#999999", linewidth=0.9, linestyle=(0, (4, 2)), zorder=1, gid="bound")
    ax.set_yticks(range(len(cells)), [cell.place.text for cell in cells])
    ax.set_ylim(len(cells) - 0.5, -0.5)
    ax.xaxis.set_major_locator(MaxNLocator(nbins=6, steps=[1, 2, 2.5, 5, 10]))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda change, _: change_text(1 + change)))
    ax.set_xlabel("change of the epoch time")
