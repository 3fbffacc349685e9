"""The guide of a run, and of a training's qualities, read from their folders."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from testbed import marked_text
from testbed.errors import UserError
from testbed.results.run_folder import RunFolder

TIMES, QUALITY = "guide", "quality"  # the places in a page


def texts(run: Path, training: Path | None) -> dict[str, str]:
    """The texts by the place that each has in a page; UserError for a folder that is not what it should be."""
    folder = RunFolder.existing(run)
    from reports import guide  # imports pandas and matplotlib, for which a mistake need not wait
    from testbed.results.table import table

    made = {TIMES: guide.guide(table(folder), folder.provenance())}
    if training is not None:
        made[QUALITY] = _quality(training)
    return made


def write(page: Path, made: Mapping[str, str]) -> None:
    """Put every text in its place of a page."""
    for name, text in made.items():
        marked_text.replace(page, name, text)


def _quality(training: Path) -> str:
    from reports import guide
    from testbed.training import table as epochs
    from testbed.training.folder import TrainingFolder

    if not (training / "trials.json").is_file():
        raise UserError(f"{training} is no training's folder: give one that `gradwire train` made")
    folder = TrainingFolder(training)
    return guide.quality(epochs.table(folder), folder.sessions.read())
