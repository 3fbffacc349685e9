"""Writes a run's figures and pages into a folder."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from reports import canvas
from reports.counting import summary
from reports.figures import FigureKind, figure_kinds
from reports.pages import Content, PageKind, page_kinds
from reports.provenance import Shown, line, page_line, run_name
from reports.quantities import bandwidth_text, latency_text, slug
from reports.templates import render, svg_url
from reports.view import View, views


@dataclass(frozen=True)
class Image:
    """A figure's files by name, for a page."""

    name: str
    alt: str
    files: Sequence[Path]  # PNG, SVG

    @property
    def source(self) -> str:
        """The SVG as a data URL."""
        return svg_url(self.files[1].read_bytes())


@dataclass(frozen=True)
class Section:
    """A kind of figure on the index, with its figures."""

    title: str
    reading: str
    images: Sequence[Image]


@dataclass(frozen=True)
class Output:
    """Where a run's figures and pages go, and what their feet say."""

    provenance: Mapping[str, Any]
    folder: Path

    def image(self, name: str, alt: str, figure: Figure, shown: Shown) -> Image:
        """The figure with its provenance, saved."""
        canvas.footer(figure, line(shown, self.provenance))
        return Image(name, alt, canvas.save(figure, self.folder, name))

    def page(self, template: str, name: str, **values: Any) -> Path:
        """A page, every value in it escaped."""
        path = self.folder / f"{name}.html"
        text = render(template, foot=page_line(self.provenance), **values)
        path.write_text(text, encoding="utf-8")
        return path


def write(table: pd.DataFrame, provenance: Mapping[str, Any], folder: Path) -> list[Path]:
    """Write every figure (PNG, SVG) and page of a run into `folder`; return their paths, index.html first.

    `table` has one row per cell, in SI units; `provenance` is the run folder's provenance.json. Equal input
    gives equal files. An empty run, and one in which every cell failed, gives an index that says so. Raises
    UserError where the table lacks a column.
    """
    found = views(table)
    folder.mkdir(parents=True, exist_ok=True)
    output = Output(provenance, folder)
    with canvas.style():
        sections = [_section(kind, found, output) for kind in figure_kinds()]
        built = [(kind, content) for kind in page_kinds() if (content := kind.build(table))]
        papers = [paper(kind, content, output) for kind, content in built]
    index = _index(table, found, sections, built, output)
    images = [image for section in sections for image in section.images]
    return [index, *chain(*papers), *chain(*(image.files for image in images))]


def _section(kind: FigureKind, found: Sequence[View], output: Output) -> Section:
    images = []
    for view, name in zip(found, _names(found), strict=True):
        figure = kind.draw(view) if view.measured else None
        if figure:
            images.append(output.image(f"{kind.name}-{name}", f"{kind.title}, {view.name}", figure, view))
    return Section(kind.title, kind.reading, images)


def _names(found: Sequence[View]) -> list[str]:
    """The views' names for files, made unique: two names may become the same letters."""
    names: list[str] = []
    for view in found:
        name = slug(view.name)
        names.append(name if name not in names else f"{name}-{len(names) + 1}")
    return names


def paper(kind: PageKind, content: Content, output: Output) -> list[Path]:
    """A page and its figures; their paths, the page first."""
    images = [output.image(d.name, d.alt, d.figure, d.view) for d in content.drawings]
    page = output.page("paper.html.j2", kind.name, title=kind.title, source=kind.source, content=content, images=images)
    return [page, *chain(*(image.files for image in images))]


def _index(
    table: pd.DataFrame,
    found: Sequence[View],
    sections: Sequence[Section],
    built: Sequence[tuple[PageKind, Content]],
    output: Output,
) -> Path:
    return output.page(
        "index.html.j2",
        "index",
        title=f"Run {run_name(output.provenance)}",
        summary=summary(table),
        pages=[{"name": k.name, "title": k.title, "source": k.source, "summary": c.summary} for k, c in built],
        sections=[section for section in sections if section.images],
        troubles=[row for view in found for row in _troubles(view)],
    )


def _troubles(view: View) -> Iterator[tuple[str, ...]]:
    """A row of text for each point that failed or is unfaithful."""
    for system in view.systems:
        for (bandwidth, latency), point in sorted(view.points[system].items()):
            if point.failed or not point.faithful:
                state = "failed" if point.failed else "unfaithful"
                network = (bandwidth_text(bandwidth), latency_text(latency))
                yield (view.name, system.label, *network, state, point.reason)
