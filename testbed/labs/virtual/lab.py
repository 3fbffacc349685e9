"""The virtual lab: guests in virtual time, side by side, one lane each."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from testbed import clean, recording, workloads
from testbed.cell import Cell
from testbed.errors import LabError
from testbed.labs.lab import CellFailed, CellFinished, CellProgress, CellStarted, Event, Note
from testbed.labs.virtual import kernel, native
from testbed.labs.virtual.guest import Guest, GuestFiles, memory_bytes
from testbed.labs.virtual.spool import Batch, EventReader, Spool, Task, batches_of
from testbed.session.measure import steps_needed, steps_of

LOOK_EVERY_S = 0.1
SILENCE_S = 300.0  # real seconds without an event after which a guest counts as hung
LEAVE_S = 10.0  # from the last batch to the guest's end

Report = Callable[[Event], None]


class VirtualLab:
    """Measures cells in guests; a guest that dies or hangs costs the cell under way, and is replaced."""

    name = "virtual"

    def __init__(self) -> None:
        self._recordings: dict[str, str | None] = {}
        self._guest_facts: dict[str, Any] = {}

    def prepare(self, cells: Sequence[Cell], say: Callable[[str], None]) -> None:
        """Build the kernel and the compiled helpers if they are missing; record gradients that the cells replay."""
        kernel.ensure(say)
        native.ensure(say)
        for cell in cells:
            if cell.gradients == "recorded" and cell.id not in self._recordings:
                made = recording.ensure(
                    workload=cell.workload,
                    batch_size=cell.batch_size,
                    workers=cell.network.workers,
                    steps=steps_needed(steps_of(cell, _samples(cell) if cell.full_epoch else 0)),
                    seed=cell.seed,
                    say=say,
                )
                self._recordings[cell.id] = str(made.folder)

    def lane_bytes(self, workers: int) -> int:
        """A guest's memory."""
        return memory_bytes(workers)

    def provenance(self) -> dict[str, Any]:
        """The kernel that was built, and what guests said of themselves."""
        return {"lab": self.name, "kernel_build": kernel.digest(), **self._guest_facts}

    def run(self, cells: Sequence[Cell], report: Report, stop: threading.Event, jobs: int) -> None:
        """See testbed.labs.lab.Lab.run."""
        if not cells:
            return
        clean.reap()
        folder = clean.claim()
        try:
            spool = Spool(folder)
            spool.create()
            tasks = [Task(cell, self._recordings.get(cell.id)) for cell in cells]
            numbers = itertools.count()
            for batch in batches_of(tasks):
                spool.put(next(numbers), batch)
            workers = [cell.network.workers for cell in cells]
            lanes = min(jobs, spool.left())
            self._run_lanes(spool, folder, max(workers), lanes, numbers, report, stop)
        finally:
            clean.remove(folder)

    def _run_lanes(
        self,
        spool: Spool,
        folder: Path,
        workers: int,
        lanes: int,
        numbers: itertools.count[int],
        report: Report,
        stop: threading.Event,
    ) -> None:
        files = GuestFiles(kernel=kernel.ensure(_silent), native=native.ensure(), spool=folder)
        lock = threading.Lock()
        errors: list[BaseException] = []

        def report_one_at_a_time(event: Event) -> None:
            with lock:
                report(event)

        def work(lane: int) -> None:
            try:
                Lane(lane, spool, files, workers, numbers, report_one_at_a_time, stop, self._guest_facts).run()
            except BaseException as error:
                errors.append(error)
                stop.set()

        threads = [threading.Thread(target=work, args=(lane,), name=f"lane-{lane}") for lane in range(lanes)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if errors:
            raise errors[0]


def _silent(text: str) -> None:
    """`prepare` has said what there was to say."""
    del text


def _samples(cell: Cell) -> int:
    return workloads.create(cell.workload, seed=cell.seed).samples


class Lane:
    """Keeps one guest at work, and starts another when it dies."""

    def __init__(
        self,
        number: int,
        spool: Spool,
        files: GuestFiles,
        workers: int,
        numbers: itertools.count[int],
        report: Report,
        stop: threading.Event,
        facts: dict[str, Any],
    ) -> None:
        self._number = number
        self._spool = spool
        self._files = files
        self._workers = workers
        self._numbers = numbers
        self._report = report
        self._stop = stop
        self._facts = facts
        self._events = EventReader(spool.events_path(number))
        self._batch: Batch | None = None  # claimed and not done
        self._batch_name = ""
        self._batches_done: set[str] = set()
        self._ended: set[str] = set()  # cells of that batch
        self._under_way: str | None = None
        self._started_s = 0.0  # of that cell, on this machine's clock
        self._ready = False
        self._last_event_s = 0.0

    def run(self) -> None:
        """Until no batch is left, or `stop` is set."""
        while self._spool.left() and not self._stop.is_set():
            self._report(Note(self._number, "starting a guest"))
            self._ready = False
            guest = Guest(
                self._files,
                lane=self._number,
                run_id=clean.run_id_of(self._files.spool),
                workers=self._workers,
            )
            try:
                reason = self._follow(guest)
            finally:
                guest.stop()
            if self._stop.is_set():
                return
            if reason is not None:
                self._give_up(reason)

    def _follow(self, guest: Guest) -> str | None:
        """Report a guest's events until it ends; the reason if that was not its own decision."""
        self._last_event_s = time.monotonic()
        while not self._stop.wait(LOOK_EVERY_S):
            ended = guest.ended()
            said_end = self._hear()
            if said_end:
                guest.wait(LEAVE_S)
                return None
            if ended:
                return f"the guest died; the end of its console: {guest.last_words()}"
            if time.monotonic() - self._last_event_s > SILENCE_S:
                return (
                    f"the guest made no progress for {SILENCE_S:.0f} s, of which it computed "
                    f"{guest.cpu_s():.0f} s in all: a process in it may be looping without sleeping"
                )
        return None

    def _hear(self) -> bool:
        """Report what has come; whether the guest has said that it ends."""
        said_end = False
        for event in self._events.new():
            self._last_event_s = time.monotonic()
            said_end |= self._take(event)
        return said_end

    def _take(self, event: dict[str, Any]) -> bool:
        kind = event.pop("event")
        match kind:
            case "ready":
                self._ready = True
            case "claimed":
                self._batch, self._ended = self._spool.claimed_by(self._number, event["name"]), set()
                self._batch_name = event["name"]
            case "batch-done":
                self._batch = None
                self._batches_done.add(event["name"])
            case "started":
                self._under_way, self._started_s = event["cell_id"], time.monotonic()
                self._report(CellStarted(self._number, **event))
            case "step":
                self._report(CellProgress(self._number, **event))
            case "finished":
                self._end_cell(event["cell_id"])
                event["measurement"] |= {"lane": self._number, "wall_s": time.monotonic() - self._started_s}
                self._report(CellFinished(self._number, **event))
            case "failed":
                self._end_cell(event["cell_id"])
                self._report(CellFailed(self._number, **event))
            case "note":
                self._report(Note(self._number, **event))
            case "facts":
                self._facts.update(event)
        return bool(kind == "end")

    def _end_cell(self, cell_id: str) -> None:
        self._ended.add(cell_id)
        self._under_way = None

    def _give_up(self, reason: str) -> None:
        """A guest died: the cell under way has failed, the others of its batch are offered again."""
        if not self._ready:
            raise LabError(f"a guest was never ready: {reason}")
        if self._batch is None:  # it may have died between taking a batch and saying so
            name = self._spool.last_claimed(self._number, self._batches_done)
            if name is None:
                raise LabError(reason)
            self._batch, self._ended, self._batch_name = self._spool.claimed_by(self._number, name), set(), name
        left = [task for task in self._batch.tasks if task.cell.id not in self._ended]
        # No cell under way: the network itself could not be had, so none of its cells can.
        lost = [task for task in left if self._under_way in (None, task.cell.id)]
        for task in lost:
            self._report(CellFailed(self._number, task.cell.id, reason))
        if again := [task for task in left if task not in lost]:
            self._spool.put(next(self._numbers), Batch(self._batch.network, again))
        self._batches_done.add(self._batch_name)
        self._batch, self._under_way = None, None
