"""How many lanes run side by side: one a core, as far as memory holds the largest cell's."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

import psutil

from testbed.cell import Cell
from testbed.errors import UserError
from testbed.labs.lab import Lab


def lanes(
    asked: int | None,
    cells: Sequence[Cell],
    lab_of: Callable[[str], Lab],
    available_bytes: int | None = None,
) -> int:
    """The number of lanes for `cells`; `asked` is what a person wants, None for as many as are useful.

    `lab_of`: a lab by its name. `available_bytes`: by default what this machine has now. UserError where memory does
    not hold one lane, or not as many as were asked for.
    """
    if asked is not None and asked < 1:
        raise UserError(f"--jobs {asked}: at least 1 lane is needed")
    if not cells:
        return asked or 1
    available = psutil.virtual_memory().available if available_bytes is None else available_bytes
    needed, workers = max((lab_of(cell.lab).lane_bytes(cell), cell.network.workers) for cell in cells)
    fitting = available // needed
    if fitting == 0:
        raise UserError(
            f"workers {workers}: a lane of them needs {_gigabytes(needed)} of memory, and "
            f"{_gigabytes(available)} are available; use fewer workers, or end other programs"
        )
    if asked is None:
        return min(len(os.sched_getaffinity(0)), fitting)
    if asked > fitting:
        raise UserError(f"--jobs {asked}: memory holds {fitting} lanes of these cells; ask for at most that")
    return asked


def _gigabytes(size_bytes: int) -> str:
    return f"{size_bytes / 1e9:.1f} GB"
