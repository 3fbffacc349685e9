"""The run of a sweep: its folder, read."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from gradwire.comparison import Comparison
from gradwire.selecting import Only, filters
from testbed import comparing, paper_figure
from testbed.remaking import read_table, remake_figures
from testbed.results.run_folder import RunFolder


class Run:
    """A run folder of a sweep, as it is on the disk whenever it is asked. Make one with `Run.open`, or `Sweep.run`."""

    def __init__(self, folder: RunFolder) -> None:
        self._folder = folder

    @classmethod
    def open(cls, folder: str | PathLike[str]) -> Run:
        """The run in a folder. UserError where there is none; LabError where a newer version has written it."""
        run = RunFolder.existing(Path(folder))
        run.declared()
        return cls(run)

    @property
    def folder(self) -> Path:
        """Where it is."""
        return self._folder.path

    @property
    def name(self) -> str:
        """The sweep's name."""
        return str(self.provenance.get("name") or self.folder.name)

    @property
    def provenance(self) -> dict[str, Any]:
        """Commit, versions, kernel, machine, date, of the newest session and of all; empty before the first."""
        return self._folder.provenance()

    def table(self) -> pd.DataFrame:
        """One row per declared cell: measured, failed or missing (`status`), in SI units as the columns' names say."""
        return read_table(self.folder)

    def figure(self, name: str, *, width: str | float = "column", only: Only = ()) -> Figure:
        """A figure for a paper, of one setting: `epoch-bandwidth`, `speedup-latency`, `fastest`, …

        `width` is a venue's or inches. UserError lists what there is where the name is not known, or `only` leaves
        several settings.
        """
        return paper_figure.draw(self.folder, name, str(width), filters(only)).figure

    def numbers(self, name: str, *, only: Only = ()) -> pd.DataFrame:
        """Every number of the figure of that name."""
        return paper_figure.draw(self.folder, name, only=filters(only)).numbers

    def save_figure(
        self,
        name: str,
        path: str | PathLike[str],
        *,
        width: str | float = "column",
        only: Only = (),
        csv: str | PathLike[str] | None = None,
    ) -> Path:
        """Write a figure as PDF, SVG or PNG, by the path's ending, with embedded fonts; and its numbers to `csv`."""
        drawn = paper_figure.draw(self.folder, name, str(width), filters(only))
        return paper_figure.write(drawn, name, None, Path(path), None if csv is None else Path(csv))[0]

    def report(self) -> Path:
        """Make the run's table, report, figures and pages again; the page to open."""
        figures, page = remake_figures(self.folder)
        return page or figures

    def compare(self, other: Run | str | PathLike[str]) -> Comparison:
        """What became faster or slower from this run to the other one. UserError where they cannot be compared."""
        folder = other.folder if isinstance(other, Run) else Path(other)
        return Comparison(comparing.compare_runs(self.folder, folder))

    def __repr__(self) -> str:
        return f"<Run {self.folder}>"
