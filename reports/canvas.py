"""A figure of equal panels laid out in inches, with title, note and provenance, and its files."""

from __future__ import annotations

import textwrap
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

STYLE = Path(__file__).with_name("gradwire.mplstyle")
TITLE_IN, NOTE_LINE_IN, LEFT_IN, ROW_GAP_IN, FOOT_IN = 0.42, 0.17, 0.85, 1.15, 1.1
TITLE_LINE_IN = 0.2
CHARACTERS_PER_IN = 16.0  # of the note's and the footer's type
TITLE_CHARACTERS_PER_IN = 9.0


@contextmanager
def style() -> Iterator[None]:
    """Matplotlib's settings for drawing and for saving."""
    with matplotlib.rc_context(fname=STYLE):
        yield


def grid(
    count: int,
    *,
    title: str,
    note: str = "",
    columns: int = 2,
    panel_in: tuple[float, float] = (3.7, 2.5),
    right_in: float = 0.3,
    left_in: float = LEFT_IN,
    head_in: float = 0.0,
    row_gap_in: float = ROW_GAP_IN,
) -> tuple[Figure, list[Axes]]:
    """A figure with `count` panels in reading order.

    Each panel has `left_in` of room for its axis and `right_in` for labels; `head_in` is extra room on top,
    `row_gap_in` lies between rows.
    """
    columns = min(columns, count)
    rows = -(-count // columns)
    width = columns * (left_in + panel_in[0] + right_in) + 0.1
    titles = textwrap.wrap(title, int(width * TITLE_CHARACTERS_PER_IN)) or [""]
    notes = textwrap.wrap(note, int(width * CHARACTERS_PER_IN))
    title_in = TITLE_IN + TITLE_LINE_IN * (len(titles) - 1)
    head = title_in + NOTE_LINE_IN * len(notes) + 0.4 + head_in
    height = head + rows * panel_in[1] + (rows - 1) * row_gap_in + FOOT_IN
    figure = Figure(figsize=(width, height))
    FigureCanvasAgg(figure)
    figure.text(0.15 / width, 1 - 0.12 / height, "\n".join(titles), size=12, weight="bold", va="top")
    for i, line in enumerate(notes):
        y = 1 - (title_in + i * NOTE_LINE_IN) / height
        figure.text(0.15 / width, y, line, size=8, color="#444444", va="top")
    axes = []
    for i in range(count):
        row, column = divmod(i, columns)
        left = column * (left_in + panel_in[0] + right_in) + left_in
        bottom = height - head - (row + 1) * panel_in[1] - row * row_gap_in
        axes.append(figure.add_axes((left / width, bottom / height, panel_in[0] / width, panel_in[1] / height)))
    return figure, axes


def footer(figure: Figure, text: str) -> None:
    """The provenance line at the bottom, wrapped to the figure's width."""
    width, height = figure.get_size_inches()
    lines = textwrap.wrap(text, int(width * CHARACTERS_PER_IN * 1.12))
    figure.text(0.15 / width, 0.1 / height, "\n".join(lines), size=7, color="#666666", va="bottom", gid="provenance")


def save(figure: Figure, folder: Path, name: str) -> list[Path]:
    """`name`.png and `name`.svg in the folder, without dates and versions: equal figures give equal files."""
    png, svg = folder / f"{name}.png", folder / f"{name}.svg"
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")  # shown as a box, which is enough
        figure.savefig(png, format="png", metadata={"Software": None})
        figure.savefig(svg, format="svg", metadata={"Date": None, "Creator": None})
    return [png, svg]
