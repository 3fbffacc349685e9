"""The host lab: one session at a time on the machine's own kernel."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import containers
from testbed.cell import Cell
from testbed.errors import UserError
from testbed.labs import captures, native, recordings
from testbed.labs.host import requirements
from testbed.labs.host.congestion import allow_cubic
from testbed.labs.host.process import HostProcess
from testbed.labs.lane import Report, StartStation, run_cells

SESSION_BYTES = 600 << 20  # session and fork server with torch
WORKER_BYTES = 120 << 20  # what a worker has for itself: the rest is the fork server's
COMPUTE_BYTES = 448 << 20  # beside that, of one that computes its gradients: as in the virtual lab's guest.py


class HostLab:
    """Measures cells in real time; a session that dies or hangs costs the cell under way, and is replaced."""

    name = "host"

    def __init__(self) -> None:
        self._recordings: dict[str, str] = {}
        self._facts: dict[str, Any] = {}
        self._backend = ""
        self._containers: dict[str, Any] = {}

    def prepare(self, cells: Sequence[Cell], say: Callable[[str], None]) -> None:
        """Compile the helpers, make the containers' image if they are missing; record gradients that the cells replay.

        UserError where this machine cannot be a host lab, or has not the containers that the cells ask for.
        """
        found = requirements.lacks()
        if (lack := requirements.missing(found)) is not None:
            raise UserError(lack)
        captures.require_program(cells)
        self._backend = str(requirements.backend(found))
        self._containers = containers.prepare(cells, say)
        allow_cubic(say)
        native.ensure(say)
        if any(cell.computes_here for cell in cells):
            from testbed.workers import devices  # imports torch, which cells of a profile do not need here

            self._facts["gpus"] = list(devices.gpus())
        self._recordings = recordings.ensure(cells, say)

    def lane_bytes(self, cell: Cell) -> int:
        """Memory of a session with as many workers."""
        return SESSION_BYTES + cell.network.workers * (WORKER_BYTES + cell.computes * COMPUTE_BYTES)

    def provenance(self) -> dict[str, Any]:
        """What delays packets, the containers' engine and images, and what sessions said of themselves."""
        own = {"containers": self._containers} if self._containers else {}
        return {"lab": self.name, "delays": self._backend, **own, **self._facts}

    def run(self, cells: Sequence[Cell], report: Report, stop: threading.Event, jobs: int) -> None:
        """See testbed.labs.lab.Lab.run. One lane, whatever `jobs`: two would slow each other."""
        del jobs
        helpers, backend = native.ensure(), self._backend
        contained = any(cell.containers is not None for cell in cells)

        def start_in(spool: Path) -> StartStation:
            return lambda lane: HostProcess(
                spool=spool, lane=lane, native=helpers, backend=backend, contained=contained
            )

        run_cells(cells, self._recordings, 1, start_in, report, stop, self._facts)
