"""A lane: keeps one station at work on the batches of a spool, and starts another when it dies.

A station is a process of ours that measures: a guest of the virtual lab, a session of the host lab.
"""

from __future__ import annotations

import itertools
import shutil
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from testbed import clean
from testbed.cell import Cell
from testbed.errors import LabError
from testbed.labs.lab import CellEpoch, CellFailed, CellFinished, CellProgress, CellStarted, Event, Note
from testbed.labs.spool import Batch, EventReader, Spool, Task, batches_of

LOOK_EVERY_S = 0.1
SILENCE_S = 300.0  # real seconds without an event after which a station counts as hung
LEAVE_S = 10.0  # from the last batch to the station's end

Report = Callable[[Event], None]


class Station(Protocol):
    """A running station; it was started when it was made."""

    word: str  # what a person calls it

    def ended(self) -> bool:
        """Whether it has ended by itself or died."""

    def wait(self, timeout_s: float) -> bool:
        """Wait for its end; whether it came."""

    def cpu_s(self) -> float:
        """Processor time that it has used, in seconds."""

    def last_words(self) -> str:
        """The end of what it printed, on one line."""

    def stop(self) -> None:
        """Kill it, with all processes that it made; returns when they are gone."""


StartStation = Callable[[int], Station]  # of the lane with that number


def run_cells(
    cells: Sequence[Cell],
    recordings: Mapping[str, str],
    lanes: int,
    start_in: Callable[[Path], StartStation],
    report: Report,
    stop: threading.Event,
    facts: dict[str, Any],
) -> None:
    """Measure cells in up to that many lanes; see testbed.labs.lab.Lab.run.

    `recordings`: by a cell's id, the folder of the gradients that it replays. `start_in`: starts stations that take
    their batches from a spool folder. `facts` takes what stations say of themselves.
    """
    if not cells:
        return
    clean.reap()
    folder = clean.claim()
    try:
        spool = Spool(folder)
        spool.create(batches_of([Task(cell, recordings.get(cell.id)) for cell in cells]))
        _run_lanes(spool, min(lanes, spool.left()), start_in(folder), report, stop, facts)
    finally:
        clean.remove(folder)


def _run_lanes(
    spool: Spool,
    lanes: int,
    start: StartStation,
    report: Report,
    stop: threading.Event,
    facts: dict[str, Any],
) -> None:
    """Run that many lanes side by side until the spool is empty or `stop` is set.

    `report` is called from one thread at a time; `facts` takes what stations say of themselves.
    """
    lock = threading.Lock()
    errors: list[BaseException] = []
    numbers = itertools.count(spool.left())  # of batches that are offered again

    def report_one_at_a_time(event: Event) -> None:
        with lock:
            report(event)

    def work(lane: int) -> None:
        try:
            Lane(lane, spool, start, numbers, report_one_at_a_time, stop, facts).run()
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


class Lane:
    """Keeps one station at work, and starts another when it dies."""

    def __init__(
        self,
        number: int,
        spool: Spool,
        start: StartStation,
        numbers: itertools.count[int],
        report: Report,
        stop: threading.Event,
        facts: dict[str, Any],
    ) -> None:
        self._number = number
        self._spool = spool
        self._start = start
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
            self._report(Note(self._number, "starting"))
            self._ready = False
            station = self._start(self._number)
            try:
                reason = self._follow(station)
            finally:
                station.stop()
            if self._stop.is_set():
                return
            if reason is not None:
                self._give_up(reason)

    def _follow(self, station: Station) -> str | None:
        """Report a station's events until it ends; the reason if that was not its own decision."""
        self._last_event_s = time.monotonic()
        while not self._stop.wait(LOOK_EVERY_S):
            ended = station.ended()
            said_end = self._hear()
            if said_end:
                station.wait(LEAVE_S)
                return None
            if ended:
                return f"{station.word} died; the end of what it said: {station.last_words()}"
            if time.monotonic() - self._last_event_s > SILENCE_S:
                return (
                    f"{station.word} made no progress for {SILENCE_S:.0f} s, and computed "
                    f"{station.cpu_s():.0f} s in all: a process in it may be looping without sleeping"
                )
        return None

    def _hear(self) -> bool:
        """Report what has come; whether the guest has said that it ends."""
        said_end = False
        for event in self._events.new():
            said_end |= self._take(event)
            self._last_event_s = time.monotonic()  # now: to evaluate an epoch takes its time
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
            case "epoch":
                kept = self._spool.kept_path(self._number) / event["cell_id"] / str(event["epoch"])
                self._report(CellEpoch(self._number, **event, kept=kept))
                shutil.rmtree(kept, ignore_errors=True)
            case "finished":
                self._end_cell(event["cell_id"])
                event["measurement"] |= {"lane": self._number, "wall_s": time.monotonic() - self._started_s}
                captures = self._captures(event["cell_id"])
                self._report(CellFinished(self._number, **event, captures=captures if captures.is_dir() else None))
                shutil.rmtree(captures, ignore_errors=True)
            case "failed":
                self._end_cell(event["cell_id"])
                self._report(CellFailed(self._number, **event))
            case "note":
                self._report(Note(self._number, **event))
            case "facts":
                self._facts.update(event)
        return bool(kind == "end")

    def _captures(self, cell_id: str) -> Path:
        return self._spool.captures_path(self._number) / cell_id

    def _end_cell(self, cell_id: str) -> None:
        self._ended.add(cell_id)
        self._under_way = None

    def _give_up(self, reason: str) -> None:
        """A station died: the cell under way has failed, the others of its batch are offered again."""
        if not self._ready:
            raise LabError(f"it was never ready: {reason}")
        if self._batch is None:  # it may have died between taking a batch and saying so
            name = self._spool.last_claimed(self._number, self._batches_done)
            if name is None:
                raise LabError(reason)
            self._batch, self._ended, self._batch_name = self._spool.claimed_by(self._number, name), set(), name
        left = [task for task in self._batch.tasks if task.cell.id not in self._ended]
        # No cell under way: the network itself could not be had, so none of its cells can.
        lost = [task for task in left if self._under_way in (None, task.cell.id)]
        for task in lost:
            shutil.rmtree(self._captures(task.cell.id), ignore_errors=True)
            self._report(CellFailed(self._number, task.cell.id, reason))
        if again := [task for task in left if task not in lost]:
            self._spool.put(next(self._numbers), Batch(self._batch.network, again))
        self._batches_done.add(self._batch_name)
        self._batch, self._under_way = None, None
