"""A training file, and the run of a training."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
from rich.console import Console

from gradwire.run import Run
from gradwire.selecting import Only, filters
from testbed.errors import UserError
from testbed.remaking import read_table, remake_figures

if TYPE_CHECKING:
    from testbed.training.plan import TrainingPlan

# What trains is imported where it is used: with torch, which takes seconds, and which runs of sweeps need not wait for.


class Training:
    """A training file that was read and found possible. Make one with `Training.from_file`."""

    def __init__(self, file: Path, plan: TrainingPlan) -> None:
        self._file = file
        self._plan = plan

    @classmethod
    def from_file(cls, path: str | PathLike[str]) -> Training:
        """Read a training file. UserError names the key that is wrong."""
        from testbed.training.plan import load_training

        return cls(Path(path), load_training(Path(path)))

    @property
    def name(self) -> str:
        """The file's `name`; its records are in `runs/NAME` unless another folder is given."""
        return self._plan.name

    def __len__(self) -> int:
        """How many trials there are."""
        return len(self._plan.trials)

    def run(
        self,
        folder: str | PathLike[str] | None = None,
        *,
        times: Run | None = None,
        only: Only = (),
        jobs: int | None = None,
        quiet: bool = False,
    ) -> TrainingRun:
        """Train what is missing in the folder, and return the run.

        `times` is the run of a sweep, against whose epochs (of cells that `only` keeps) losses are set too. A trial
        that fails does not raise: `TrainingRun.table` has its reason. KeyboardInterrupt once an interrupted training
        has kept what it has.
        """
        from testbed.training.run import INTERRUPTED, Request, run_training

        path = Path("runs") / self.name if folder is None else Path(folder)
        times_of = None if times is None else times.folder
        request = Request(file=self._file, run=path, times=times_of, only=filters(only), jobs=jobs)
        if run_training(request, Console(highlight=False, quiet=quiet)) == INTERRUPTED:
            raise KeyboardInterrupt
        return TrainingRun.open(path)

    def __repr__(self) -> str:
        return f"<Training {self.name}: {len(self)} trials>"


class TrainingRun:
    """The folder of a training, as it is on the disk whenever it is asked."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @classmethod
    def open(cls, folder: str | PathLike[str]) -> TrainingRun:
        """The training in a folder. UserError where there is none."""
        from testbed.training.folder import TrainingFolder

        path = Path(folder)
        if not TrainingFolder.is_at(path):
            raise UserError(f"{path} holds no training (it has no trials.json): give one that `gradwire train` made")
        return cls(path)

    def table(self) -> pd.DataFrame:
        """One row per epoch of a trial: losses, metric, bytes; in SI units as the columns' names say."""
        return read_table(self.folder)

    def report(self) -> Path:
        """Make the training's table, figures and pages again; the page to open."""
        figures, page = remake_figures(self.folder)
        return page or figures

    def __repr__(self) -> str:
        return f"<TrainingRun {self.folder}>"
