"""The recorded gradients that cells replay, made ready before a lab runs them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from testbed import recording, workloads
from testbed.cell import Cell
from testbed.session.measure import steps_needed, steps_of


def ensure(cells: Sequence[Cell], say: Callable[[str], None]) -> dict[str, str]:
    """Record what is missing; the folder of each replaying cell's recording, by the cell's id."""
    folders: dict[str, str] = {}
    for cell in cells:
        if cell.gradients == "recorded":
            made = recording.ensure(
                workload=cell.workload,
                batch_size=cell.batch_size,
                workers=cell.network.workers,
                steps=steps_needed(
                    steps_of(cell, _samples(cell) if cell.full_epoch else 0), afresh=bool(cell.schedule)
                ),
                seed=cell.seed,
                say=say,
            )
            folders[cell.id] = str(made.folder)
    return folders


def _samples(cell: Cell) -> int:
    return workloads.create(cell.workload, seed=cell.seed).samples
