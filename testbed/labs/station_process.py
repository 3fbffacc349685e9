"""A station as the testbed holds it: a process that dies with the thread that started it, and its log."""

from __future__ import annotations

import contextlib
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil

MOST_WORDS = 400  # characters of a log that an error repeats
GONE_WITHIN_S = 10.0


class StationProcess:
    """A running station; a subclass says with which words it starts, and what a person calls it."""

    word = "the station"

    def __init__(self, words: Sequence[str], log: Path, environment: Mapping[str, str] | None = None) -> None:
        self.log_path = log
        with log.open("ab") as file:
            self._process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", "--", *words],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """Its process."""
        return self._process.pid

    def ended(self) -> bool:
        """Whether it has ended by itself or died."""
        return self._process.poll() is not None

    def wait(self, timeout_s: float) -> bool:
        """Wait for its end; whether it came."""
        try:
            self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return False
        return True

    def cpu_s(self) -> float:
        """Processor time that it and its processes have used, in seconds."""
        return sum(map(self._cpu_s_of, self._family()))

    @staticmethod
    def _cpu_s_of(process: psutil.Process) -> float:
        with contextlib.suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            return float(times.user + times.system)
        return 0.0

    def stop(self) -> None:
        """Kill it, with all processes that it made; returns when they are gone."""
        family = self._family()
        for process in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        self._process.wait()
        psutil.wait_procs(family, timeout=GONE_WITHIN_S)

    def last_words(self) -> str:
        """The end of what it printed, on one line; of one that was killed, the signal."""
        lines = self.log_path.read_text(errors="replace").split("\n") if self.log_path.exists() else []
        said = " | ".join(line.strip() for line in lines if line.strip())[-MOST_WORDS:]
        return " | ".join(part for part in (said, self._ending(self._process.poll())) if part)

    @staticmethod
    def _ending(status: int | None) -> str:
        """What an exit status says beyond the log."""
        return "" if status is None or status >= 0 else f"ended by {signal.Signals(-status).name}"

    def _family(self) -> list[psutil.Process]:
        try:
            process = psutil.Process(self._process.pid)
            return [*process.children(recursive=True), process]
        except psutil.NoSuchProcess:
            return []
