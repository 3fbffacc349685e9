"""Trials side by side, a process for each: a step of one alone leaves cores idle. The numbers are the same."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

import psutil

from testbed.errors import LabError
from testbed.training.folder import TrainingFolder
from testbed.training.job import ENDED, FAULT, SAY, SHOW, STOP
from testbed.training.models import prototype
from testbed.training.trial import Trial, describe

COMMAND: Sequence[str] = (sys.executable, "-m", "testbed.training.job")
POLL_S: Final = 0.2  # until a signal is seen
PROCESS_BYTES: Final = 600_000_000  # of one, before it has models
VECTORS: Final = 16  # as long as the model, that a worker has at most

Say = Callable[[str], None]


def jobs(asked: int | None, trials: Sequence[Trial], available_bytes: int | None = None) -> int:
    """How many trials to train side by side: one a core, as far as memory holds the largest; one where GPUs compute.

    `asked` is what a person wants, None for as many as are useful; `available_bytes`: by default what this machine has
    now.
    """
    if not trials:
        return 1
    if asked is None:
        available = psutil.virtual_memory().available if available_bytes is None else available_bytes
        fitting = max(1, available // max(map(_size_bytes, trials)))
        asked = 1 if any(trial.device != "cpu" for trial in trials) else min(cores(), fitting)
    return min(asked, len(trials))


def cores() -> int:
    """That this process may use."""
    return len(os.sched_getaffinity(0))


def _size_bytes(trial: Trial) -> int:
    """Roughly, and rather more than less."""
    parameters = prototype(trial.workload, trial.workload_options).parameters
    return PROCESS_BYTES + 4 * parameters * VECTORS * trial.workers


class Job:
    """A process, and the trial that it trains."""

    def __init__(self, folder: TrainingFolder, session: int, threads: int, heard: queue.SimpleQueue[Heard]) -> None:
        self.trial: Trial | None = None
        self.shows = ""
        self._stopping = False
        self._process = subprocess.Popen(
            [*COMMAND, str(folder.path), str(session), str(threads)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,  # Ctrl-C is for whoever started it
        )
        self._listener = threading.Thread(target=self._listen, args=(heard,), daemon=True)
        self._listener.start()

    def give(self, trial: Trial) -> None:
        """Let it train a trial; it must have none."""
        self.trial = trial
        self._write(json.dumps(trial.to_json()))

    def stop(self) -> None:
        """Let it keep its trial as it stands."""
        if not self._stopping:
            self._stopping = True
            self._write(STOP)

    def end(self) -> int:
        """End it at once, if it has not ended; its exit status, negative for a signal's."""
        self._process.kill()
        self._listener.join()
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        return self._process.wait()

    def _write(self, line: str) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # it has ended, which is heard
            self._process.stdin.write(line + "\n")
            self._process.stdin.flush()

    def _listen(self, heard: queue.SimpleQueue[Heard]) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            for line in lines:
                word, text = json.loads(line)
                heard.put((self, word, text))
        heard.put((self, _GONE, ""))


Heard = tuple[Job, str, str]  # from whom, a word and a text
_GONE: Final = "gone"


class SideBySide:
    """Trains trials in several processes, and says what they say."""

    def __init__(self, folder: TrainingFolder, session: int, stop: threading.Event, say: Say, show: Say) -> None:
        """`say` prints a line that stays, `show` one that the next replaces."""
        self._folder = folder
        self._session = session
        self._stop = stop
        self._say = say
        self._show = show
        self._heard: queue.SimpleQueue[Heard] = queue.SimpleQueue()
        self._jobs: list[Job] = []
        self._waiting: deque[Trial] = deque()

    def train(self, trials: Sequence[Trial], count: int) -> None:
        """Train all, `count` at a time, or until the stop; LabError where the disk does not take what is to be kept."""
        self._waiting.extend(trials)
        self._threads = max(1, cores() // count)
        try:
            for _ in range(count):
                self._start()
            while any(job.trial for job in self._jobs):
                self._follow()
        finally:
            for job in self._jobs:
                job.end()

    def _start(self) -> None:
        job = Job(self._folder, self._session, self._threads, self._heard)
        self._jobs.append(job)
        job.give(self._waiting.popleft())

    def _follow(self) -> None:
        if self._stop.is_set():
            for job in self._jobs:
                job.stop()
        with contextlib.suppress(queue.Empty):
            self._take(*self._heard.get(timeout=POLL_S))

    def _take(self, job: Job, word: str, text: str) -> None:
        if word == FAULT:
            raise LabError(text)
        {SAY: self._pass_on, SHOW: self._show_all, ENDED: self._next, _GONE: self._lost}[word](job, text)

    def _pass_on(self, _job: Job, text: str) -> None:
        self._say(text)

    def _show_all(self, job: Job, text: str) -> None:
        job.shows = text
        self._show("\n".join(job.shows for job in self._jobs if job.trial))

    def _next(self, job: Job, _text: str) -> None:
        job.trial = None
        if self._waiting and not self._stop.is_set():
            job.give(self._waiting.popleft())

    def _lost(self, job: Job, _text: str) -> None:
        """A process ended that should not have: its trial failed, and another takes its place."""
        trial, status = job.trial, job.end()
        self._jobs.remove(job)
        if trial is not None:
            reason = f"the process that trained it ended with {_words(status)}"
            self._folder.store_failure(trial, reason, self._session)
            self._say(f"failed: {describe(trial)}: {reason}")
        if self._waiting and not self._stop.is_set():
            self._start()


def _words(status: int) -> str:
    """An exit status, or the signal that it stands for."""
    if status >= 0:
        return f"exit status {status}"
    name = signal.Signals(-status).name
    return f"signal {name}" + (", as where memory runs out" if name == "SIGKILL" else "")
