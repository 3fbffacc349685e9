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
from testbed.workloads import Workload

CHECKPOINT_S = 60.0  # a killed training loses at most this, or where one takes long to write, so many times as long:
CHECKPOINT_SHARE = 10

Say = Callable[[str], None]


class Session:
    """One run of this program over what is left of a training."""

    def __init__(
        self,
        folder: TrainingFolder,
        number: int,
        stop: threading.Event,
        say: Say,
        show: Say,
        threads: int | None = None,
    ) -> None:
        """`say` prints a line that stays, `show` one that the next replaces; `threads` as in `Trainer`."""
        self._folder = folder
        self._number = number
        self._stop = stop
        self._say = say
        self._show = show
        self._threads = threads

    def train(self, trial: Trial) -> None:
        """Train a trial to its end, or until the session is stopped. What goes wrong in it is kept as its failure.

        LabError where the disk does not take what is to be kept.
        """
        try:
            with Trainer(trial, self._threads) as trainer:
                self._follow(trial, trainer)
        except NotKept as error:
            raise error.cause from None
        except Exception as error:
            reason = in_a_sentence(error)
            self._folder.store_failure(trial, reason, self._number)
            self._say(f"failed: {describe(trial)}: {reason}")

    def _follow(self, trial: Trial, trainer: Trainer) -> None:
        begun = Begun(self._folder, trial, trainer, self._number)
        course, words = begun.course, describe(trial)
        while not course.is_over and not self._stop.is_set():
            self._show(f"{words}: step {course.step} of {course.steps}")
            if course.advance():
                begun.store()
                self._say(f"{words}: {latest(course, trainer)}")
            elif begun.is_due:
                begun.checkpoint()
        if course.is_over:
            begun.end()
        else:
            begun.checkpoint()


def in_a_sentence(error: Exception) -> str:
    """Why a trial did not go on."""
    own = isinstance(error, LabError | UserError)
    return " ".join((str(error) if own else f"{type(error).__name__}: {error}").split())


class NotKept(Exception):  # noqa: N818 (as WorkerFailure)
    """Carries a fault of the disk, which all trials share, past the faults of one."""

    def __init__(self, cause: LabError) -> None:
        self.cause = cause


class Begun:
    """A trial under way, with its files.

    Attributes:
        course: its steps and epochs.
        network: what was measured of its network; None in one process, and until then.
    """

    def __init__(self, folder: TrainingFolder, trial: Trial, trainer: Trainer, session: int) -> None:
        self._folder = folder
        self._trial = trial
        self._trainer = trainer
        self._session = session
        self._began_s = self._kept_s = time.monotonic()
        self._took_s = 0.0
        self.network: Mapping[str, Any] | None = None
        saved = folder.checkpoint(trial)
        if saved is not None:
            require_same_data(saved, trainer.workload)
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
            **({} if self.network is None else {"network": self.network}),
        }

    @staticmethod
    def _keeping(write: Callable[[], None]) -> None:
        try:
            write()
        except LabError as error:
            raise NotKept(error) from error


def require_same_data(saved: Mapping[str, Any], workload: Workload) -> None:
    """LabError where a checkpoint is of other data than those that are here."""
    if saved["digest"] != workload.source.digest:
        raise LabError(
            f"it was begun with other data than {workload.source.name}, which is found here now: bring those back, or "
            "use another run folder"
        )


def latest(course: Course, trainer: Trainer) -> str:
    """The epoch that is over, or the end, in words."""
    if course.diverged:
        return f"diverged in epoch {course.diverged['epoch']}: {course.diverged['reason']}"
    record = course.epochs[-1]
    words = [f"epoch {record['epoch']} of {trainer.trial.epochs}: loss {record['train_loss']:.4g}"]
    if record["held_out_loss"] is not None:
        words += [f"held out {record['held_out_loss']:.4g}", f"{trainer.workload.metric.name} {record['metric']:.4g}"]
    return ", ".join(words)
