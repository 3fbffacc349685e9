"""A host session: a process that emulates networks on this machine's own kernel, and can leave nothing behind.

It runs in namespaces of its own: a process namespace, so that the kernel ends every process of it when it ends, however
it ends, and with them the emulated hosts' networks; a network namespace, so that the machine's own interfaces, firewall
and other users' networks are out of its reach.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
from pathlib import Path

import psutil

from testbed.clean import LANE_ARGUMENT

ISOLATION = ("unshare", "--pid", "--net", "--mount-proc", "--fork", "--kill-child=KILL", "--")


class HostProcess:
    """A running host session. It dies with the thread that started it."""

    word = "the session"

    def __init__(self, *, spool: Path, lane: int, run_id: str, native: Path) -> None:
        self.log_path = spool / f"session-{lane}.log"
        words = [sys.executable, "-m", "testbed.labs.host.inside", str(spool), str(lane), str(native)]
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", "--", *ISOLATION, *words, f"{LANE_ARGUMENT}{run_id}"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def ended(self) -> bool:
        """Whether it has ended."""
        return self._process.poll() is not None

    def wait(self, timeout_s: float) -> bool:
        """Wait for its end; whether it came."""
        try:
            self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return False
        return True

    def cpu_s(self) -> float:
        """Processor time that the session has used, with its workers, in seconds."""
        total = 0.0
        for process in self._family():
            with contextlib.suppress(psutil.NoSuchProcess):
                times = process.cpu_times()
                total += times.user + times.system
        return total

    def stop(self) -> None:
        """Kill it; returns when all its processes are gone."""
        family = self._family()
        self._process.kill()
        self._process.wait()
        psutil.wait_procs(family, timeout=10.0)

    def last_words(self) -> str:
        """The end of its output, on one line."""
        lines = self.log_path.read_text(errors="replace").split("\n") if self.log_path.exists() else []
        return " | ".join(line.strip() for line in lines if line.strip())[-400:]

    def _family(self) -> list[psutil.Process]:
        try:
            found: list[psutil.Process] = psutil.Process(self._process.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            return []
        return found
