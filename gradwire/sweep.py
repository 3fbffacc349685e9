"""A sweep file, and measuring what it declares."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from pathlib import Path

import pandas as pd
from rich.console import Console

from gradwire.run import Run
from gradwire.selecting import Only, filters
from testbed.cell import Cell
from testbed.labs import registry
from testbed.specification import Plan, load_plan, select
from testbed.sweep import INTERRUPTED, Request, run_sweep


class Sweep:
    """A sweep file that was read and found possible. Make one with `Sweep.from_file`."""

    def __init__(self, request: Request, plan: Plan, cells: Sequence[Cell]) -> None:
        self._request = request
        self._plan = plan
        self._cells = cells

    @classmethod
    def from_file(
        cls, path: str | PathLike[str], *, only: Only = (), lab: str | None = None, containers: str | None = None
    ) -> Sweep:
        """Read a sweep file.

        `only` keeps cells, as `{"topology": "star", "bandwidth": ["5 Mbit/s", "1 Gbit/s"]}`, or as the command line
        has it, `["topology=star"]`. `lab` (`auto`, `virtual`, `host`) and `containers` take the place of what the file
        says. UserError names the key that is wrong.
        """
        request = Request(file=Path(path), lab=lab, containers=containers, only=filters(only))
        plan = load_plan(request.file, lambda: registry.auto()[0], lab=lab, containers=containers)
        return cls(request, plan, select(plan.cells, request.only) if request.only else plan.cells)

    @property
    def name(self) -> str:
        """The file's `name`; its results are in `runs/NAME` unless another folder is given."""
        return self._plan.name

    @property
    def warnings(self) -> list[str]:
        """What is worth knowing of what the file declares, a sentence each."""
        return list(self._plan.warnings)

    def __len__(self) -> int:
        """How many cells there are to measure."""
        return len(self._cells)

    def cells(self) -> pd.DataFrame:
        """The declared cells in SI units, one row each: what `Run.table` has, as long as nothing is measured."""
        from testbed.results.table import row

        return pd.DataFrame([row(cell, None) for cell in self._cells])

    def run(self, folder: str | PathLike[str] | None = None, *, jobs: int | None = None, quiet: bool = False) -> Run:
        """Measure what is missing in the folder, and return the run.

        Cells that were measured before are kept. A cell that fails does not raise: `Run.table` has its reason. `jobs`
        is how many lanes stand side by side, by default one a core. `quiet` prints nothing. UserError for what this
        machine cannot do, LabError for a fault; KeyboardInterrupt once an interrupted sweep has kept what it has.
        """
        path = Path("runs") / self.name if folder is None else Path(folder)
        request = Request(
            file=self._request.file,
            run=path,
            lab=self._request.lab,
            containers=self._request.containers,
            only=self._request.only,
            jobs=jobs,
        )
        if run_sweep(request, registry, Console(highlight=False, quiet=quiet)) == INTERRUPTED:
            raise KeyboardInterrupt
        return Run.open(path)

    def __repr__(self) -> str:
        return f"<Sweep {self.name}: {len(self)} cells>"
