"""`gradwire trace`: one measured cell of a run as a file that trace viewers open."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from testbed.cell import Cell
from testbed.errors import UserError
from testbed.results import atomic, traces
from testbed.results.run_folder import RunFolder
from testbed.specification import select
from testbed.specification.wording import describe

_SHOWN = 3  # cells that an error names


def write_trace(run: RunFolder, begins: str | None, only: Sequence[str], output: Path | None) -> Path:
    """Write the chosen cell's trace, by default beside where the user is; the file's path.

    `begins`: the beginning of the cell's id. UserError where that and `only` leave none or several, or the cell has no
    trace.
    """
    cell = choose(run, begins, only)
    trace = run.trace(cell)
    if trace is None:
        raise UserError(_without_trace(run, cell))
    path = output or Path(f"{cell.id}.trace.json")
    if not path.parent.is_dir():
        raise UserError(f"--output {path}: the folder {path.parent} does not exist: make it, or give another")
    text = json.dumps(traces.chrome_events(trace, describe(cell)), separators=(",", ":"), allow_nan=False)
    atomic.write_bytes(path, text.encode())
    return path


def choose(run: RunFolder, begins: str | None, only: Sequence[str]) -> Cell:
    """The one cell of a run that is meant."""
    cells: Sequence[Cell] = run.declared()
    if only:
        cells = select(cells, only)
    meant = [cell for cell in cells if cell.id.startswith(begins or "")]
    if not meant:
        raise UserError(f"cell {begins}: no id of a cell begins so: `gradwire table {run.path}` lists them")
    if len(meant) > 1:
        shown = "; ".join(f"{cell.id} ({describe(cell)})" for cell in meant[:_SHOWN])
        more = f"; and {len(meant) - _SHOWN} more" if len(meant) > _SHOWN else ""
        raise UserError(f"{len(meant)} cells are meant: give a longer id, or one more --only: {shown}{more}")
    return meant[0]


def _without_trace(run: RunFolder, cell: Cell) -> str:
    name = f"cell {cell.id} ({describe(cell)}) of {run.path}"
    document = run.document(cell)
    if document is None:
        return f"{name} has not been measured: run the sweep, which measures what is missing"
    if document["status"] == "failed":
        return f"{name} has no result ({document['reason']}): run the sweep again, which measures what is missing"
    return (
        f"{name} has no trace, because an older version of Gradwire measured it: "
        f"remove {run.cell_path(cell)} and run the sweep again, which measures it anew"
    )
