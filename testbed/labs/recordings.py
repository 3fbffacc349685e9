"""The recorded gradients that cells replay, made ready before a lab runs them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from testbed import recording, workloads
from testbed.cell import Cell
from testbed.session.measure import steps_needed, steps_of
from testbed.specification.combinations import period


def ensure(cells: Sequence[Cell], say: Callable[[str], None]) -> dict[str, str]:
    """Record what is missing; the folder of each replaying cell's recording, by the cell's id."""
    folders: dict[str, str] = {}
    for cell in cells:
        if cell.gradients == "recorded":
            made = recording.ensure(
                workload=_workload(cell),
                batch_size=cell.batch_size,
                workers=cell.network.workers,
                steps=steps_needed(
                    steps_of(cell, _workload(cell).samples if cell.full_epoch else 0),
                    period(cell),
                    afresh=bool(cell.schedule),
                ),
                seed=cell.seed,
                partition=cell.partition,
                alpha=cell.alpha,
                say=say,
            )
            folders[cell.id] = str(made.folder)
    return folders


def _workload(cell: Cell) -> workloads.Workload:
    return workloads.create(cell.workload, seed=cell.seed, options=cell.workload_options)
