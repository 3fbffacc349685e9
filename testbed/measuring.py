"""Has labs measure cells, and keeps each result as it comes."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from testbed.cell import Cell
from testbed.errors import LabError
from testbed.interruption import stopping_on_signals
from testbed.labs.lab import CellFailed, CellFinished, Event, Lab
from testbed.progress import Progress
from testbed.results import provenance
from testbed.results.run_folder import CapturesNotKept, RunFolder
from testbed.results.timeline import missed
from testbed.specification.wording import describe

Say = Callable[[str], None]


class Labs(Protocol):
    """What there is to choose from: testbed/labs/registry.py, or a test's own."""

    def create(self, name: str) -> Lab:
        """The lab called `name`."""

    def auto(self) -> tuple[str, str]:
        """The lab that `auto` is on this machine, and why."""


@dataclass
class Outcome:
    """What became of the cells of one session, which is one run of this program over what is missing."""

    failures: dict[str, str] = field(default_factory=dict)  # cell id -> reason
    finished: set[str] = field(default_factory=set)  # cell ids
    cut_short: set[str] = field(default_factory=set)  # cell ids: steps ended before their schedule did
    interrupted: bool = False
    emulated_s: float = 0.0
    real_s: float = 0.0

    def rates(self) -> str:
        """How fast it went, in words."""
        real_s = max(self.real_s, 1e-9)
        return (
            f"{len(self.finished) * 60 / real_s:.1f} cells per minute, "
            f"{self.emulated_s / real_s:.1f} emulated seconds per real second"
        )


class Session:
    """Measures cells and keeps what comes. A result that cannot be kept stops the session."""

    def __init__(self, run: RunFolder, name: str, labs: Labs, progress: Progress) -> None:
        self._run = run
        self._name = name
        self._labs = labs
        self._progress = progress
        self._stop = threading.Event()
        self._cells: dict[str, Cell] = {}
        self._number = len(run.provenance().get("sessions", ()))
        self._fault: LabError | None = None
        self._measuring: list[Lab] = []
        self._facts: dict[str, dict[str, Any]] = {}
        self._provenance: dict[str, Any] = {}
        self.outcome = Outcome()

    def measure(self, cells: Sequence[Cell], jobs: int) -> Outcome:
        """Every cell measured or failed, unless a signal came. LabError where a lab or the disk gives up."""
        self._cells = {cell.id: cell for cell in cells}
        try:
            prepared = self._prepare(cells)
            with self._progress, stopping_on_signals(self._stop):
                self._run_all(prepared, jobs)
        except KeyboardInterrupt:
            self._stop.set()
        if self._fault:
            raise self._fault
        self.outcome.interrupted = self._stop.is_set()
        return self.outcome

    def _prepare(self, cells: Sequence[Cell]) -> list[tuple[Lab, list[Cell]]]:
        """All labs are made ready before any starts, and what they say of themselves is kept."""
        by_lab: dict[str, list[Cell]] = defaultdict(list)
        for cell in cells:
            by_lab[cell.lab].append(cell)
        prepared = [(self._labs.create(name), of_lab) for name, of_lab in by_lab.items()]
        for lab, of_lab in prepared:
            lab.prepare(of_lab, self._progress.say)
        self._measuring = [lab for lab, _ in prepared]
        self._facts = self._facts_of_labs()
        self._provenance = provenance.collect(self._name, self._facts)
        self._run.add_session(self._provenance)
        return prepared

    def _facts_of_labs(self) -> dict[str, dict[str, Any]]:
        return {lab.name: lab.provenance() for lab in self._measuring}

    def _keep_facts(self) -> None:
        """Labs know more of themselves once they run: kernel and settings inside, MPI, how long hosts took."""
        if (facts := self._facts_of_labs()) != self._facts:
            self._facts = facts
            self._run.replace_session({**self._provenance, "labs": facts})

    def _run_all(self, prepared: Iterable[tuple[Lab, list[Cell]]], jobs: int) -> None:
        start_s = time.monotonic()
        try:
            for lab, cells in prepared:
                if not self._stop.is_set():
                    lab.run(cells, self._report, self._stop, jobs)
            self._keep_facts()
        finally:
            self.outcome.real_s = time.monotonic() - start_s

    def _report(self, event: Event) -> None:
        """Keep first, then show. A fault does not unwind through the lab's threads: it stops the session."""
        if self._fault:
            return
        try:
            self._progress.show(self._kept(event))
        except LabError as error:
            self._fault = error
            self._stop.set()

    def _kept(self, event: Event) -> Event:
        """The event, once what it brings is on the disk; a failure in the place of an unusable result."""
        if isinstance(event, CellFinished):
            try:
                self._keep_result(event)
            except ValueError as error:
                event = CellFailed(event.lane, event.cell_id, f"its result cannot be used: {error}")
            except CapturesNotKept as error:
                event = CellFailed(event.lane, event.cell_id, str(error))
        if isinstance(event, CellFailed):
            self._run.store_failure(self._cells[event.cell_id], event.reason, self._number)
            self.outcome.failures[event.cell_id] = event.reason
        return event

    def _keep_result(self, event: CellFinished) -> None:
        cell, measurement = self._cells[event.cell_id], {**event.measurement, "session": self._number}
        self._run.store(cell, measurement, event.trace, event.captures)
        self._keep_facts()
        if lacking := _lacking(measurement):
            self._progress.say(f"warning: {describe(cell)}: {lacking}")
        self.outcome.finished.add(event.cell_id)
        if missed(event.measurement):
            self.outcome.cut_short.add(event.cell_id)
        self.outcome.emulated_s += event.measurement["emulated_s"]


def _lacking(measurement: Mapping[str, Any]) -> str | None:
    """What a cell's packet captures lack, in words."""
    links = measurement.get("capture", {}).get("links", {})
    dropped = {name: counts["dropped"] for name, counts in links.items() if counts["dropped"]}
    if not dropped:
        return None
    named = ", ".join(f"{number} of {name}" for name, number in dropped.items())
    return f"its packet captures are not complete, as the kernel dropped packets before they were written ({named})"


def in_order(cells: Iterable[Cell]) -> list[Cell]:
    """Cells of one topology, size and hosting together, for which workers start once; within them, of one network."""
    groups: dict[Any, dict[Any, list[Cell]]] = defaultdict(lambda: defaultdict(list))
    for cell in cells:
        network = cell.network
        groups[cell.lab, network.topology, network.arity, network.workers, cell.hosting][network].append(cell)
    return [cell for networks in groups.values() for group in networks.values() for cell in group]
