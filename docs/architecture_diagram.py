"""Draws docs/images/architecture.svg, which GitHub and the built pages show: `make diagram`."""

from __future__ import annotations

from pathlib import Path
from typing import Final, NamedTuple

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

FILE: Final = Path(__file__).with_name("images") / "architecture.svg"
_TEXT_POINTS, _SMALL_POINTS = 10, 8.5
_FILL, _EDGE, _FILES = "#eaf1f8", "#33546f", "#f4f0e4"


class Box(NamedTuple):
    """A box: its title, what is in it, its place and size in units of the drawing, whether it is files."""

    title: str
    content: str
    x: float
    y: float
    width: float = 2.7
    height: float = 1.15
    files: bool = False


BOXES: Final = {
    "file": Box("sweeps/*.yaml", "what to measure", 0, 4.2, 2.2, files=True),
    "plan": Box("testbed/specification", "checks the file, makes cells", 3.0, 4.2),
    "sweep": Box("testbed", "measures what is missing", 6.5, 4.2),
    "results": Box("runs/NAME", "a document for each cell", 10.0, 4.2, 2.3, files=True),
    "reports": Box("reports", "figures, pages, the explorer", 13.1, 4.2, 2.5),
    "lab": Box("testbed/labs", "virtual: a guest in virtual time\nhost: this machine, real time", 6.5, 2.3, height=1.3),
    "session": Box("testbed/session", "one network: hosts, links,\nwarm-up, probes, bytes", 6.5, 0.2, height=1.4),
    "network": Box(
        "topologies, shaping", "hosts and links; every tc rule\ncontainers: Docker hosts", 2.4, 0.2, 3.1, 1.4
    ),
    "workers": Box("testbed/workers", "an MPI rank a host: real\nmessages over real TCP", 10.2, 0.2, 2.7, 1.4),
    "algorithms": Box("algorithms", "what to exchange;\ncodecs, graphs", 13.7, 0.75, 1.9, 1.3),
    "workloads": Box("testbed/workloads", "models, data, gradients", 13.1, -1.0, 2.5, 1.1),
    "profiles": Box("testbed/profiles", "how long computing takes", 10.2, -1.6, 2.7, 1.1),
}
ARROWS: Final = (
    ("file", "plan", ""), ("plan", "sweep", "cells"), ("sweep", "results", ""), ("results", "reports", "table"),
    ("sweep", "lab", "cells down, events up"), ("lab", "session", ""), ("session", "network", ""),
    ("session", "workers", ""), ("workers", "algorithms", ""), ("workers", "workloads", ""),
    ("workers", "profiles", ""),
)  # fmt: skip


def draw() -> Figure:
    """The diagram: files and packages as boxes, an arrow from what uses or feeds to what is used or fed."""
    figure = Figure(figsize=(11.4, 5.4))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(-0.3, 15.9), ylim=(-1.9, 5.7))
    axes.axis("off")
    for box in BOXES.values():
        _draw_box(axes, box)
    for begin, end, words in ARROWS:
        _draw_arrow(axes, BOXES[begin], BOXES[end], words)
    return figure


def write(file: Path = FILE) -> None:
    """Write the diagram, the same bytes every time; its words stay text, which can be searched and read out."""
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "gradwire", "font.family": "sans-serif"}):
        draw().savefig(file, format="svg", facecolor="white", metadata={"Date": None, "Creator": None})


def _draw_box(axes: Axes, box: Box) -> None:
    fill = _FILES if box.files else _FILL
    style = "round,pad=0,rounding_size=0.12"
    patch = FancyBboxPatch((box.x, box.y), box.width, box.height, boxstyle=style, facecolor=fill, edgecolor=_EDGE)
    axes.add_patch(patch)
    middle = box.x + box.width / 2
    top = box.y + box.height - 0.13
    axes.text(middle, top, box.title, ha="center", va="top", fontsize=_TEXT_POINTS, weight="bold")
    axes.text(middle, top - 0.42, box.content, ha="center", va="top", fontsize=_SMALL_POINTS)


def _draw_arrow(axes: Axes, begin: Box, end: Box, words: str) -> None:
    """From edge to edge: across where they lie side by side, else up or down."""
    tail, head = _edges(begin, end)
    axes.annotate("", xy=head, xytext=tail, arrowprops={"arrowstyle": "->", "color": _EDGE, "linewidth": 1.3})
    if words:
        across = tail[1] == head[1]
        place = ((tail[0] + head[0]) / 2, tail[1] + 0.1) if across else (tail[0] + 0.12, (tail[1] + head[1]) / 2)
        axes.text(*place, words, ha="center" if across else "left", va="bottom" if across else "center", fontsize=8)


def _edges(begin: Box, end: Box) -> tuple[tuple[float, float], tuple[float, float]]:
    if end.x >= begin.x + begin.width or begin.x >= end.x + end.width:
        low, high = max(begin.y, end.y), min(begin.y + begin.height, end.y + end.height)
        level = (low + high) / 2
        tail_y, head_y = (level, level) if low < high else (begin.y + 0.3, end.y + end.height - 0.3)
        rightwards = end.x > begin.x
        return (begin.x + begin.width * rightwards, tail_y), (end.x + end.width * (not rightwards), head_y)
    left, right = max(begin.x, end.x), min(begin.x + begin.width, end.x + end.width)
    middle = (left + right) / 2
    downwards = end.y < begin.y
    return (middle, begin.y + begin.height * (not downwards)), (middle, end.y + end.height * downwards)


if __name__ == "__main__":
    write()
