"""Trains trials one after another, and keeps what comes of them as it comes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from testbed.errors import LabError, UserError
from testbed.training.course import Course
from testbed.training.folder import DIVERGED, OK, RUNNING, TrainingFolder
from testbed.training.trainer import Trainer
from testbed.training.trial import Trial, describe

CHECKPOINT_S = 60.0  # a killed training loses at most this, or where one takes long to write, so many times as long:
CHECKPOINT_SHARE = 10

Say = Callable[[str], None]


class Session:
    """One run of this program over what is left of a training."""

    def __init__(self, folder: TrainingFolder, number: int, stop: threading.Event, say: Say, show: Say) -> None:
        """`say` prints a line that stays, `show` one that the next replaces."""
        self._folder = folder
        self._number = number
        self._stop = stop
        self._say = say
        self._show = show

    def train(self, trial: Trial) -> None:
        """Train a trial to its end, or until the session is stopped. What goes wrong in it is kept as its failure.

        LabError where the disk does not take what is to be kept.
        """
        try:
            with Trainer(trial) as trainer:
                self._follow(trial, trainer)
        except _NotKept as error:
            raise error.cause from None
        except Exception as error:
            reason = str(error) if isinstance(error, LabError | UserError) else f"{type(error).__name__}: {error}"
            self._folder.store_failure(trial, " ".join(reason.split()), self._number)
            self._say(f"failed: {describe(trial)}: {reason}")

    def _follow(self, trial: Trial, trainer: Trainer) -> None:
        begun = _Begun(self._folder, trial, trainer, self._number)
        course, words = begun.course, describe(trial)
        while not course.is_over and not self._stop.is_set():
            self._show(f"{words}: step {course.step} of {course.steps}")
            if course.advance():
                begun.store()
                self._say(f"{words}: {_latest(course, trainer)}")
            elif begun.is_due:
                begun.checkpoint()
        if course.is_over:
            begun.end()
        else:
            begun.checkpoint()


class _NotKept(Exception):  # noqa: N818 (carries a fault of the disk past the faults of a trial)
    def __init__(self, cause: LabError) -> None:
        self.cause = cause


class _Begun:
    """A trial under way, with its files."""

    def __init__(self, folder: TrainingFolder, trial: Trial, trainer: Trainer, session: int) -> None:
        self._folder = folder
        self._trial = trial
        self._trainer = trainer
        self._session = session
        self._began_s = self._kept_s = time.monotonic()
        self._took_s = 0.0
        saved = folder.checkpoint(trial)
        if saved is not None:
            _require_same_data(saved, trainer)
        self._before_s: float = saved["real_s"] if saved else 0.0
        self.course = Course(trainer, saved)
        self.store()  # a checkpoint may be older than the record: what came after is trained again

    @property
    def is_due(self) -> bool:
        """Whether it is time for a checkpoint."""
        return time.monotonic() - self._kept_s >= max(CHECKPOINT_S, CHECKPOINT_SHARE * self._took_s)

    def checkpoint(self) -> None:
        """Keep where the trial is."""
        start_s = time.monotonic()
        state = self.course.save() | {"digest": self._trainer.workload.source.digest, "real_s": self._real_s}
        self._keeping(lambda: self._folder.save_checkpoint(self._trial, state))
        self._kept_s = time.monotonic()
        self._took_s = self._kept_s - start_s

    def store(self) -> None:
        """Keep the record of the epochs so far, and where the trial is if that is due."""
        if self.course.step and not self.course.is_over and self.is_due:
            self.checkpoint()
        self._keeping(lambda: self._folder.store(self._trial, self._record()))

    def end(self) -> None:
        """Forget where the trial was: its record has all that matters."""
        self._folder.remove_checkpoint(self._trial)

    @property
    def _real_s(self) -> float:
        return self._before_s + time.monotonic() - self._began_s

    def _record(self) -> Mapping[str, Any]:
        course, workload = self.course, self._trainer.workload
        status = RUNNING if not course.is_over else OK if course.diverged is None else DIVERGED
        return {
            "status": status,
            "reason": course.diverged["reason"] if course.diverged else "",
            "diverged": course.diverged,
            "epochs": course.epochs,
            "steps_per_epoch": self._trainer.steps_per_epoch,
            "formula_bits_per_component": self._trainer.formula_bits_per_component,
            "workload": {
                "dataset": workload.source.name,
                "samples": workload.samples,
                "held_out_samples": workload.held_out.samples,
                "parameters": workload.parameters,
                "metric": workload.metric.name,
            },
            "session": self._session,
            "real_s": self._real_s,
        }

    @staticmethod
    def _keeping(write: Callable[[], None]) -> None:
        try:
            write()
        except LabError as error:
            raise _NotKept(error) from error


def _require_same_data(saved: Mapping[str, Any], trainer: Trainer) -> None:
    if saved["digest"] != trainer.workload.source.digest:
        raise LabError(
            f"it was begun with other data than {trainer.workload.source.name}, which is found here now: bring those "
            "back, or use another run folder"
        )


def _latest(course: Course, trainer: Trainer) -> str:
    """The epoch that is over, or the end, in words."""
    if course.diverged:
        return f"diverged in epoch {course.diverged['epoch']}: {course.diverged['reason']}"
    record = course.epochs[-1]
    words = [f"epoch {record['epoch']} of {trainer.trial.epochs}: loss {record['train_loss']:.4g}"]
    if record["held_out_loss"] is not None:
        words += [f"held out {record['held_out_loss']:.4g}", f"{trainer.workload.metric.name} {record['metric']:.4g}"]
    return ", ".join(words)
