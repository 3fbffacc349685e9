"""The host lab: one session at a time on the machine's own kernel."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from testbed.cell import Cell
from testbed.errors import UserError
from testbed.labs import captures, native, recordings
from testbed.labs.host import requirements
from testbed.labs.host.process import HostProcess
from testbed.labs.lane import Report, StartStation, run_cells

SESSION_BYTES = 600 << 20  # session and fork server with torch
WORKER_BYTES = 120 << 20  # what a worker has for itself: the rest is the fork server's


ALLOWED = Path("/proc/sys/net/ipv4/tcp_allowed_congestion_control")
AVAILABLE = ALLOWED.with_name("tcp_available_congestion_control")


class HostLab:
    """Measures cells in real time; a session that dies or hangs costs the cell under way, and is replaced."""

    name = "host"

    def __init__(self) -> None:
        self._recordings: dict[str, str] = {}
        self._facts: dict[str, Any] = {}

    def prepare(self, cells: Sequence[Cell], say: Callable[[str], None]) -> None:
        """Compile the helpers if they are missing; record gradients that the cells replay.

        UserError where this machine cannot be a host lab.
        """
        if (lack := requirements.missing()) is not None:
            raise UserError(lack)
        captures.require_program(cells)
        allow_cubic(say)
        native.ensure(say)
        self._recordings = recordings.ensure(cells, say)

    def lane_bytes(self, workers: int) -> int:
        """Memory of a session with that many workers."""
        return SESSION_BYTES + workers * WORKER_BYTES

    def provenance(self) -> dict[str, Any]:
        """What sessions said of themselves."""
        return {"lab": self.name, **self._facts}

    def run(self, cells: Sequence[Cell], report: Report, stop: threading.Event, jobs: int) -> None:
        """See testbed.labs.lab.Lab.run. One lane, whatever `jobs`: two would slow each other."""
        del jobs
        helpers = native.ensure()

        def start_in(spool: Path) -> StartStation:
            return lambda lane: HostProcess(spool=spool, lane=lane, native=helpers)

        run_cells(cells, self._recordings, 1, start_in, report, stop, self._facts)


def allow_cubic(say: Callable[[str], None]) -> None:
    """Let new network namespaces choose CUBIC, where the machine does not yet: a permission, which stays.

    UserError where the kernel has no CUBIC.
    """
    if "cubic" in ALLOWED.read_text().split():
        return
    if "cubic" not in AVAILABLE.read_text().split():
        raise UserError("lab host needs TCP's CUBIC, which this kernel has not loaded: modprobe tcp_cubic")
    say("allowing CUBIC in this machine's network namespaces (net.ipv4.tcp_allowed_congestion_control)")
    ALLOWED.write_text(f"{ALLOWED.read_text().strip()} cubic")
