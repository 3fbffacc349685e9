"""Running the programme's cells in a lab, with nothing beside them or with the machine's cores busy."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console

from testbed.cell import Cell
from testbed.interruption import stopping_on_signals
from testbed.labs.lab import CellFailed, CellFinished, Event, Lab
from testbed.progress import Tally, progress
from testbed.specification.wording import describe

Document = Mapping[str, Any]  # of a cell: docs/architecture.md


@dataclass
class Measured:
    """What became of some cells, by their ids."""

    documents: dict[str, Document] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)  # reasons


def measure(lab: Lab, cells: Sequence[Cell], jobs: int, console: Console) -> Measured:
    """Measure the cells in that order. KeyboardInterrupt where a signal asked to stop."""
    measured = Measured()
    display = progress(console, {cell.id: describe(cell) for cell in cells}, Tally(to_do=len(cells), skipped=0))
    stop = threading.Event()

    def report(event: Event) -> None:
        if isinstance(event, CellFinished):
            measured.documents[event.cell_id] = event.measurement
        elif isinstance(event, CellFailed):
            measured.failures[event.cell_id] = event.reason
        display.show(event)

    with display, stopping_on_signals(stop):
        lab.run(cells, report, stop, jobs)
    if stop.is_set():
        raise KeyboardInterrupt
    return measured


@contextmanager
def busy_machine() -> Iterator[None]:
    """Keep every core busy with a process that never sleeps."""
    loops = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(os.cpu_count() or 1)]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()
