"""What a run folder gives again, be it a sweep's or a training's: figures, and its table."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from testbed.results.run_folder import RunFolder

if TYPE_CHECKING:
    import pandas as pd


def remake_figures(folder: Path) -> tuple[Path, Path]:
    """Make a run's table, report, figures and pages again.

    The paths of the index (the figures' folder where there is none) and of the report. UserError for a folder
    that is no run's.
    """
    if not _is_training(folder):
        return _remake_sweep(RunFolder.existing(folder))
    from testbed.training.folder import TrainingFolder
    from testbed.training.run import make_figures

    training = TrainingFolder(folder)
    with training.locked():
        return make_figures(training)[0], training.report_path


def _remake_sweep(run: RunFolder) -> tuple[Path, Path]:
    from testbed.sweep import make_figures

    with run.locked():
        pages = make_figures(run)
    return (pages[0] if pages else run.figures_path), run.report_path


def export_table(folder: Path, kind: str) -> bytes:
    """A run's table in a format; UserError for a folder that is no run's."""
    frame = read_table(folder)
    from testbed.results.table import export

    return export(frame, kind)


def read_table(folder: Path) -> pd.DataFrame:
    """A run's table, made of its documents; UserError for a folder that is no run's."""
    if not _is_training(folder):
        run = RunFolder.existing(folder)
        from testbed.results import table as tables  # imports pandas, which a mistake need not wait for

        return tables.table(run)
    from testbed.training import folder as training
    from testbed.training import table as epochs

    return epochs.table(training.TrainingFolder(folder))


def _is_training(folder: Path) -> bool:
    return (folder / "trials.json").is_file()
