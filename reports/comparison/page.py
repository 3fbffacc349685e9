"""A comparison as one self-contained page."""

from __future__ import annotations

from reports.comparison.comparing import Comparison
from reports.comparison.forest import draw
from reports.comparison.wording import APART_HEADER, answer, header, notes, row, sides
from reports.templates import render, svg_source


def page(comparison: Comparison, bound: float | None = None) -> str:
    """The page's HTML, every name in it escaped. `bound` is the share of a check, if any."""
    figure = draw(comparison, bound)
    first, *more = answer(comparison, bound)
    return render(
        "comparison.html.j2",
        title="Two runs compared",
        lead=first,
        sentences=more,
        sides=sides(comparison),
        figure=svg_source(figure) if figure else "",
        header=header(comparison),
        rows=[(cell.verdict.value, row(comparison, cell)) for cell in comparison.cells],
        apart_header=APART_HEADER,
        apart=[(one.place.text, one.why) for one in comparison.apart],
        notes=notes(comparison),
        foot=" | ".join(["Gradwire", *sides(comparison)[:2]]),
    )
