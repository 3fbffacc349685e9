"""Writes a training's figures and pages into a folder."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import pandas as pd

from reports import canvas, curves, emulated_curves
from reports.counting import trials
from reports.emulated import emulated
from reports.pages import Content, PageKind, page_kinds
from reports.provenance import run_name
from reports.quantities import slug
from reports.training import Training, trainings
from reports.write import Image, Output, Section, paper

READING = "Each line is one system, against passes over the training data; a losses' axis is logarithmic."
IN_TIME = (
    "The same losses, each epoch set at the time at which it would end on the network that a sweep measured: wherever "
    "one looks, the lowest line has learnt most by then."
)


def write_training(table: pd.DataFrame, provenance: Mapping[str, Any], folder: Path) -> list[Path]:
    """Write every figure (PNG, SVG) and page of a training into `folder`; return their paths, index.html first.

    `table` has one row per epoch of a trial; `provenance` is the folder's provenance.json. Equal input gives equal
    files. Raises UserError where the table lacks a column.
    """
    found = trainings(table)
    folder.mkdir(parents=True, exist_ok=True)
    output = Output(provenance, folder)
    with canvas.style():
        sections = [
            Section("Against epochs", READING, list(_images(found, output))),
            Section("Against emulated time", IN_TIME, list(_in_time(table, output))),
        ]
        built = [(kind, content) for kind in page_kinds("TRAINING_PAGE") if (content := kind.build(table))]
        papers = [paper(kind, content, output) for kind, content in built]
    index = _index(table, sections, built, output)
    return [index, *chain(*papers), *(file for part in sections for image in part.images for file in image.files)]


def _images(found: Sequence[Training], output: Output) -> Iterator[Image]:
    for number, training in enumerate(found, 1):
        quantities = (curves.TRAIN_LOSS, curves.HELD_OUT_LOSS, curves.metric(training))
        figure = curves.draw(training, quantities, title=f"Losses against epochs: {training.name}")
        if figure:
            name = slug(f"epochs-{training.setting['workload']}-{training.setting['workers']}-workers")
            name += f"-{number}" if len(found) > 1 else ""
            yield output.image(name, f"Losses against epochs, {training.name}", figure, training)


def _in_time(table: pd.DataFrame, output: Output) -> Iterator[Image]:
    number = 0
    for shown in emulated(table):
        title = f"Training loss against emulated time: {shown.name}"
        for figure in emulated_curves.figures(shown, curves.TRAIN_LOSS, title):
            number += 1
            setting = shown.training.setting
            name = slug(f"time-{setting['workload']}-{setting['workers']}-workers-{number}")
            yield output.image(name, title, figure, shown)


def _index(
    table: pd.DataFrame, sections: Sequence[Section], built: Sequence[tuple[PageKind, Content]], output: Output
) -> Path:
    return output.page(
        "index.html.j2",
        "index",
        title=f"Training {run_name(output.provenance)}",
        summary=trials(table),
        pages=[{"name": k.name, "title": k.title, "source": k.source, "summary": c.summary} for k, c in built],
        sections=[section for section in sections if section.images],
        troubles=[],
    )
