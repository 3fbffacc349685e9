"""The virtual lab: guests in virtual time, side by side, one lane each."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from testbed import clean
from testbed.cell import Cell
from testbed.labs import captures, native, recordings
from testbed.labs.lane import Report, StartStation, run_cells
from testbed.labs.virtual import kernel
from testbed.labs.virtual.guest import Guest, GuestFiles, leave_python_path, memory_bytes


class VirtualLab:
    """Measures cells in guests; a guest that dies or hangs costs the cell under way, and is replaced."""

    name = "virtual"

    def __init__(self) -> None:
        self._recordings: dict[str, str] = {}
        self._guest_facts: dict[str, Any] = {}

    def prepare(self, cells: Sequence[Cell], say: Callable[[str], None]) -> None:
        """Build the kernel and the compiled helpers if they are missing; record gradients that the cells replay.

        UserError where a program is missing that they need.
        """
        captures.require_program(cells)
        kernel.ensure(say)
        native.ensure(say)
        self._recordings = recordings.ensure(cells, say)

    def lane_bytes(self, cell: Cell) -> int:
        """A guest's memory."""
        from algorithms import registry as algorithms  # imports torch
        from testbed.workloads.outline import outline

        values = outline(cell.workload)[-1].stop * algorithms.vectors(cell.algorithm, cell.codec)
        return memory_bytes(cell.network.workers, values, computing=cell.computes)

    def provenance(self) -> dict[str, Any]:
        """The kernel that was built, and what guests said of themselves."""
        return {"lab": self.name, "kernel_build": kernel.digest(), **self._guest_facts}

    def run(self, cells: Sequence[Cell], report: Report, stop: threading.Event, jobs: int) -> None:
        """See testbed.labs.lab.Lab.run."""
        if not cells:
            return
        linux, helpers = kernel.ensure(_silent), native.ensure()
        memory = max(map(self.lane_bytes, cells))

        def start_in(spool: Path) -> StartStation:
            leave_python_path(spool)
            files = GuestFiles(kernel=linux, native=helpers, spool=spool)
            return lambda lane: Guest(files, lane=lane, run_id=clean.run_id_of(spool), memory=memory)

        run_cells(cells, self._recordings, jobs, start_in, report, stop, self._guest_facts)


def _silent(text: str) -> None:
    """`prepare` has said what there was to say."""
    del text
