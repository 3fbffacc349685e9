"""The paper that a figure is for: its width, its type, and panels that fill it."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from reports.canvas import STYLE
from testbed.errors import UserError

PAPER_STYLE: Final = Path(__file__).with_name("paper.mplstyle")
# Inches, as the venues' LaTeX classes set them. `column` and `text` are the narrowest: they fit all.
WIDTHS: Final = {
    "column": 3.25,
    "text": 5.5,
    "acm-column": 3.33,
    "acm-text": 7.0,
    "icml-column": 3.25,
    "icml-text": 6.75,
    "ieee-column": 3.49,
    "ieee-text": 7.14,
    "neurips-text": 5.5,
}
NARROWEST_IN, WIDEST_IN = 2.0, 20.0
LEAST_PANEL_IN = 1.55  # in which tick labels of 7 points can be read
CHARACTER_IN = 0.05  # of the legend's type
HANDLE_IN = 0.36  # a legend's line, and the room around an entry


@dataclass(frozen=True)
class Sheet:
    """A width in inches."""

    width_in: float

    def columns(self, count: int, least_in: float = LEAST_PANEL_IN) -> int:
        """How many of so many panels stand side by side: rows are as equal as they can be."""
        most = max(1, min(count, int(self.width_in / least_in)))
        return math.ceil(count / math.ceil(count / most))

    def grid(self, count: int, *, height_in: float, columns: int, legend_rows: int, **shared: Any) -> list[Axes]:
        """Axes of `count` panels in reading order, each of that height with its labels, on a figure of this width."""
        rows = math.ceil(count / columns)
        figure = Figure(figsize=(self.width_in, rows * height_in + 0.16 * legend_rows), layout="constrained")
        FigureCanvasAgg(figure)
        axes = [ax for row in figure.subplots(rows, columns, squeeze=False, **shared) for ax in row]
        for ax in axes[count:]:
            ax.remove()
        return axes[:count]

    def legend_columns(self, labels: Sequence[str]) -> int:
        """How many entries of a legend fit side by side."""
        entry_in = HANDLE_IN + CHARACTER_IN * max((len(label) for label in labels), default=0)
        most = max(1, min(len(labels), int(self.width_in / entry_in)))
        return math.ceil(len(labels) / math.ceil(len(labels) / most)) if labels else 1

    def legend_rows(self, labels: Sequence[str]) -> int:
        """How many lines it has."""
        return math.ceil(len(labels) / self.legend_columns(labels))

    def legend(self, figure: Figure, handles: Sequence[Any], labels: Sequence[str]) -> None:
        """Above all panels."""
        figure.legend(handles, labels, loc="outside upper center", ncols=self.legend_columns(labels))


def sheet(width: str) -> Sheet:
    """The sheet of a name of `WIDTHS`, or of so many inches (`3.4`, `3.4in`). UserError for anything else."""
    if width in WIDTHS:
        return Sheet(WIDTHS[width])
    number = re.fullmatch(r"\s*(\d+\.?\d*|\.\d+)\s*(?:in)?\s*", width)
    inches = float(number.group(1)) if number else math.nan
    if not NARROWEST_IN <= inches <= WIDEST_IN:
        raise UserError(
            f"width {width!r} is neither one of {', '.join(WIDTHS)} nor {NARROWEST_IN:g} to {WIDEST_IN:g} inches: "
            "write, say, column or 3.4in"
        )
    return Sheet(inches)


@contextmanager
def style() -> Iterator[None]:
    """Matplotlib's settings for drawing and for saving: the reports' own, with a paper's type and lines."""
    own = matplotlib.rc_params_from_file(PAPER_STYLE, use_default_template=False)  # and not all the defaults again
    with matplotlib.rc_context(fname=STYLE), matplotlib.rc_context(own):
        yield
