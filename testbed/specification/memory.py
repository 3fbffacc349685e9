"""Whether the workers fit into memory, from the sizes that they were measured to take."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from testbed.cell import Cell
from testbed.errors import UserError

WORKER_BYTES: Final = 350 * 10**6  # a rank with torch and a model of ResNet-20's size: 340 MB, rounded up
LANE_BYTES: Final = 250 * 10**6  # the guest's kernel, Mininet and mpiexec


def lane_bytes(cells: Sequence[Cell]) -> int:
    """What one lane takes when it runs the largest of the cells."""
    return LANE_BYTES + WORKER_BYTES * max(cell.network.workers for cell in cells)


def lanes_that_fit(cells: Sequence[Cell], available_bytes: int) -> int:
    """How many lanes fit side by side; UserError where not even one does."""
    needed = lane_bytes(cells)
    if needed > available_bytes:
        workers = max(cell.network.workers for cell in cells)
        raise UserError(
            f"workers {workers}: they need about {_gigabytes(needed)} ({workers} x 350 MB + 250 MB), and "
            f"{_gigabytes(available_bytes)} are available; use at most "
            f"{max(0, (available_bytes - LANE_BYTES) // WORKER_BYTES)} workers here"
        )
    return available_bytes // needed


def _gigabytes(size_bytes: int) -> str:
    return f"{size_bytes / 1e9:.1f} GB"
