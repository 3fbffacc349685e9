"""The ranks of a user's program: started by mpiexec, waited for, and what became of each."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from testbed.errors import LabError
from testbed.labs.station_process import MOST_WORDS
from testbed.program.launch import LAUNCHER_LOG, Launch
from testbed.session.fork_server import HOSTS_VARIABLE

TIMED_OUT: Final = 124  # as the program `timeout` has it
KILLED_WITHIN_S: Final = 5.0


@dataclass(frozen=True, kw_only=True)
class RankEnd:
    """How a rank ended by itself; times in nanoseconds of the lab's monotonic clock."""

    begin_ns: int
    end_ns: int
    exit_status: int
    signal: int  # 0: none

    @property
    def code(self) -> int:
        """The exit status, as a shell gives it."""
        return 128 + self.signal if self.signal else self.exit_status


class Ranks:
    """A running program, one rank in each of the `places`. `close` ends every process of it."""

    def __init__(
        self,
        launch: Launch,
        places: Sequence[tuple[int | None, str]],
        rank_command: Sequence[str],
        folder: Path,
    ) -> None:
        """`folder`: where ranks leave their files; the launcher's log goes beside it."""
        self._folder = folder
        self._count = len(places)
        self._log = folder.parent / LAUNCHER_LOG
        hosts = {HOSTS_VARIABLE: ",".join(f"{pid}:{interface}" for pid, interface in places)}
        mpiexec = Path(sys.executable).with_name("mpiexec")
        with self._log.open("ab") as log:
            self._mpiexec = subprocess.Popen(
                [mpiexec, "-launcher", "fork", "-n", str(len(places)), *rank_command],
                env={**launch.environment, **hosts},
                cwd=launch.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.begin_ns = time.monotonic_ns()

    def wait(self, timeout_s: float | None, look_every_s: float, look: Callable[[], None]) -> bool:
        """Wait until all ranks have ended, calling `look` in between; False where `timeout_s` is over before."""
        deadline_ns = None if timeout_s is None else self.begin_ns + round(timeout_s * 1e9)
        ended = select.poll()
        descriptor = os.pidfd_open(self._mpiexec.pid)
        try:
            ended.register(descriptor, select.POLLIN)
            while not ended.poll(look_every_s * 1e3):
                look()
                if deadline_ns is not None and time.monotonic_ns() >= deadline_ns:
                    return False
        finally:
            os.close(descriptor)
        return True

    def close(self) -> None:
        """End what still runs: mpiexec takes its ranks along when it is asked to end."""
        if self._mpiexec.poll() is None:
            self._mpiexec.terminate()
            try:
                self._mpiexec.wait(KILLED_WITHIN_S)
            except subprocess.TimeoutExpired:
                os.killpg(self._mpiexec.pid, signal.SIGKILL)
                self._mpiexec.wait()

    def ends(self) -> list[RankEnd | None]:
        """By rank, how each ended; None of those that were killed because others failed, or the time was up.

        LabError where no rank came to begin: the launcher's fault, in its own words.
        """
        found = [self._end(rank) for rank in range(self._count)]
        if not any(found) and not any(self._folder.glob("rank-*.out")):
            said = " | ".join(self._log.read_text(errors="replace").split("\n"))[-MOST_WORDS:]
            raise LabError(f"the program was not launched: {said.strip() or 'mpiexec gave no reason'}")
        return found

    def _end(self, rank: int) -> RankEnd | None:
        path = self._folder / f"rank-{rank}.status"
        if not path.exists():
            return None
        begin_ns, end_ns, exit_status, number = map(int, path.read_text().split())
        return RankEnd(begin_ns=begin_ns, end_ns=end_ns, exit_status=exit_status, signal=number)

    def exit_status(self, ends: Sequence[RankEnd | None], *, timed_out: bool) -> int:
        """That of the rank that failed first; 0 where all ended well."""
        if timed_out:
            return TIMED_OUT
        failed = [end for end in ends if end is not None and end.code != 0]
        if failed:
            return min(failed, key=lambda end: end.end_ns).code
        return 0 if all(ends) else self._mpiexec.returncode or 1


def documents(ends: Sequence[RankEnd | None], begin_ns: int) -> list[dict[str, Any]]:
    """The `ranks` of a program's document; times in seconds since `begin_ns`."""
    return [
        {"rank": rank, "exit_status": None, "signal": None, "begin_s": None, "end_s": None}
        if end is None
        else {
            "rank": rank,
            "exit_status": None if end.signal else end.exit_status,
            "signal": signal.Signals(end.signal).name if end.signal else None,
            "begin_s": (end.begin_ns - begin_ns) / 1e9,
            "end_s": (end.end_ns - begin_ns) / 1e9,
        }
        for rank, end in enumerate(ends)
    ]
