"""Writes the index of the papers' figures: each with its verdicts and its page, or how to make it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from reports import canvas
from reports.claims import Claim, counted
from reports.pages import Content, PageKind, page_kinds
from reports.write import Output

INDEX = "figures"


@dataclass(frozen=True, kw_only=True)
class Made:
    """What there is of a figure."""

    name: str  # of its page
    trained: bool  # whether that is made of a training's table
    table: pd.DataFrame | None  # None: nothing was run
    figures: Path  # the run's folder of figures, as the index links it
    command: str  # that makes it


@dataclass(frozen=True, kw_only=True)
class Row:
    """A figure on the index."""

    name: str
    title: str
    source: str
    summary: str
    claims: Sequence[Claim]
    page: str  # links; empty for a figure that was not run
    images: Sequence[str]
    command: str


def write_figures(made: Sequence[Made], provenance: Mapping[str, Any], folder: Path) -> Path:
    """Write figures.html into `folder`; its path. Equal input gives an equal file."""
    folder.mkdir(parents=True, exist_ok=True)
    with canvas.style():
        rows = [_row(one) for one in made]
    output = Output(provenance, folder)
    return output.page("figures.html.j2", INDEX, title="The figures of the papers", summary=_summary(rows), rows=rows)


def _row(made: Made) -> Row:
    kind = _kind(made)
    content = None if made.table is None else kind.build(made.table)
    return Row(
        name=made.name,
        title=kind.title,
        source=kind.source,
        summary="not run" if content is None else counted(content.claims),
        claims=content.claims if content else (),
        page=f"{made.figures / kind.name}.html" if content else "",
        images=_images(made, content),
        command=made.command,
    )


def _kind(made: Made) -> PageKind:
    (found,) = (kind for kind in page_kinds("TRAINING_PAGE" if made.trained else "PAGE") if kind.name == made.name)
    return found


def _images(made: Made, content: Content | None) -> list[str]:
    return [f"{made.figures / drawing.name}.png" for drawing in content.drawings] if content else []


def _summary(rows: Sequence[Row]) -> str:
    run = [row for row in rows if row.page]
    verdicts = counted([claim for row in run for claim in row.claims])
    return f"{len(rows)} figures, {len(run)} of them run; judgements: {verdicts}."
