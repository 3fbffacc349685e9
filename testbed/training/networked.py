"""Has labs train trials on their networks, and keeps what comes of each epoch as it comes."""

from __future__ import annotations

import dataclasses
import shutil
import threading
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from testbed.cell import Cell
from testbed.errors import LabError, UserError
from testbed.labs.lab import CellEpoch, CellFailed, CellFinished, CellProgress, Event, Lab, Note
from testbed.lanes import lanes
from testbed.measuring import Labs, in_order
from testbed.training.folder import TrainingFolder
from testbed.training.models import workload_of
from testbed.training.received import Received
from testbed.training.session import Begun, NotKept, in_a_sentence, latest, require_same_data
from testbed.training.trial import Trial, describe
from testbed.workers.protocol import PARTS
from testbed.workloads.threads import one_thread

Say = Callable[[str], None]


@dataclass
class _OnNetwork:
    """A trial on its network, with its files from its first epoch on."""

    trial: Trial
    begun: Begun | None = None
    trainer: Received | None = None
    given_up: bool = False  # whatever more is heard of it


class NetworkedSession:
    """One run of this program over what is left of trials with networks."""

    def __init__(
        self, folder: TrainingFolder, number: int, stop: threading.Event, say: Say, show: Say, labs: Labs
    ) -> None:
        """`say` prints a line that stays, `show` one that the next replaces."""
        self._folder = folder
        self._number = number
        self._stop = stop
        self._say = say
        self._show = show
        self._labs = labs
        self._trials: dict[str, _OnNetwork] = {}  # by the id of the cell that trains each
        self._fault: LabError | None = None

    def train(self, trials: Sequence[Trial], jobs: int | None) -> dict[str, Any]:
        """Train them to their ends, or until the session is stopped; what labs say of themselves, by name.

        UserError where a lab is not to be had here, LabError where one or the disk gives up.
        """
        cells = in_order(cell for trial in trials if (cell := self._cell(trial)) is not None)
        by_lab: dict[str, list[Cell]] = defaultdict(list)
        for cell in cells:
            by_lab[cell.lab].append(cell)
        labs = {name: self._labs.create(name) for name in by_lab}
        side_by_side = lanes(jobs, cells, self._labs.create)
        for name, lab in labs.items():
            lab.prepare(by_lab[name], self._say)
        with one_thread(), self._folder.waiting() as folder:  # evaluated as where trials are trained in this process
            for name, lab in labs.items():
                self._run(lab, by_lab[name], side_by_side, _Later(folder))
        if self._fault is not None:
            raise self._fault
        return {name: lab.provenance() for name, lab in labs.items()}

    def _run(self, lab: Lab, cells: Sequence[Cell], jobs: int, later: _Later) -> None:
        """In real time, to evaluate would take time from those who train: that waits until all are done."""

        def hear(event: Event) -> None:
            if cells[0].in_real_time and isinstance(event, CellEpoch | CellFinished | CellFailed):
                later.keep(event)
            else:
                self._hear(event)

        if self._stop.is_set():
            return
        try:
            lab.run(cells, hear, self._stop, jobs)
        finally:
            for event in later.events:
                self._hear(event)
            for cell in cells:
                self._keep(self._trials[cell.id])

    def _keep(self, on: _OnNetwork) -> None:
        """Where a trial is that has not ended."""
        if self._fault is None and on.begun is not None and on.begun.course.step and not on.begun.course.is_over:
            try:
                on.begun.checkpoint()
            except NotKept as error:
                self._fault = error.cause

    def _cell(self, trial: Trial) -> Cell | None:
        """The cell that trains the trial from where it is; None where it cannot go on, which is kept."""
        try:
            saved = self._folder.checkpoint(trial)
            if saved is None:
                cell = trial.cell()
            else:
                require_same_data(saved, workload_of(trial))
                cell = trial.cell(len(saved["epochs"]), str(self._folder.checkpoint_path(trial).resolve()))
        except (LabError, UserError) as error:
            self._fail(trial, str(error))
            return None
        self._trials[cell.id] = _OnNetwork(trial)
        return cell

    def _fail(self, trial: Trial, reason: str) -> None:
        self._folder.store_failure(trial, reason, self._number)
        self._say(f"failed: {describe(trial)}: {reason}")

    def _hear(self, event: Event) -> None:
        """A fault does not unwind through the lab's threads: it stops the session."""
        if self._fault is not None:
            return
        try:
            self._take(event)
        except NotKept as error:
            self._fault = error.cause
        except LabError as error:
            self._fault = error
        if self._fault is not None:
            self._stop.set()

    def _take(self, event: Event) -> None:
        match event:
            case Note():
                self._show(f"lane {event.lane}: {event.text}")
            case CellProgress():
                self._show(f"{describe(self._trials[event.cell_id].trial)}: {event.phase}, step {event.step}")
            case CellEpoch() | CellFinished() | CellFailed():
                on = self._trials[event.cell_id]
                if not on.given_up:
                    self._take_of(on, event)

    def _take_of(self, on: _OnNetwork, event: CellEpoch | CellFinished | CellFailed) -> None:
        match event:
            case CellEpoch():
                self._take_epoch(on, event)
            case CellFinished():
                self._end(on, event.measurement)
            case CellFailed():
                self._give_up(on, event)

    def _take_epoch(self, on: _OnNetwork, event: CellEpoch) -> None:
        """Evaluate an epoch as a training in this process does, and keep it with its time."""
        try:
            begun, trainer = self._begun(on)
            if begun.course.is_over:  # diverged, in an epoch before
                return
            trainer.hear(event.epoch, event.document, event.kept)
            while not begun.course.advance():
                pass
            if begun.course.diverged is None:
                _time(begun.course.epochs, event.document)
            begun.store()
        except NotKept:
            raise
        except Exception as error:
            on.begun, on.given_up = None, True  # where it is would be in the midst of an epoch
            self._fail(on.trial, in_a_sentence(error))
            return
        self._say(f"{describe(on.trial)}: {latest(begun.course, trainer)}")

    def _begun(self, on: _OnNetwork) -> tuple[Begun, Received]:
        if on.begun is None or on.trainer is None:
            on.trainer = Received(on.trial)
            on.begun = Begun(self._folder, on.trial, on.trainer, self._number)
        return on.begun, on.trainer

    def _end(self, on: _OnNetwork, measurement: Mapping[str, Any]) -> None:
        if on.begun is not None:
            on.begun.network = {key: value for key, value in measurement.items() if key not in ("schema", "cell")}
            on.begun.store()
            on.begun.end()
            on.begun = on.trainer = None  # their tensors

    def _give_up(self, on: _OnNetwork, event: CellFailed) -> None:
        """Its own numbers end a trial, anything else leaves it to be tried again."""
        begun, _ = self._begun(on)
        if event.diverged and not begun.course.is_over:
            begun.course.diverge(event.reason)
            begun.store()
            self._say(f"{describe(on.trial)}: diverged: {event.reason}")
        if begun.course.is_over:
            begun.end()
        else:
            self._fail(on.trial, event.reason)


class _Later:
    """Keeps what is heard, and what workers had, for when nothing is measured any more."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.events: list[Event] = []

    def keep(self, event: Event) -> None:
        """Keep an event, and the files that are gone when its report returns."""
        if isinstance(event, CellEpoch):
            kept = self._folder / event.cell_id / str(event.epoch)
            shutil.copytree(event.kept, kept)
            event = dataclasses.replace(event, kept=kept)
        self.events.append(event)


def _time(epochs: list[dict[str, Any]], document: Mapping[str, Any]) -> None:
    """Add to an epoch's record what it took, of each part too, and when it was over, in emulated seconds."""
    before_s = epochs[-2]["emulated_s"] if len(epochs) > 1 else 0.0
    taken = {key: document[key] for key in ("epoch_s", *(f"{part}_s" for part in PARTS))}
    epochs[-1] |= {**taken, "emulated_s": before_s + document["epoch_s"]}
