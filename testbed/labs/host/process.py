"""A host session: a process that emulates networks on this machine's own kernel, and can leave nothing behind.

It runs in namespaces of its own: a process namespace, so that the kernel ends every process of it when it ends, however
it ends, and with them the emulated hosts' networks; a network namespace, so that the machine's own interfaces, firewall
and other users' networks are out of its reach; a /dev/shm, where MPI's ranks leave files when they are killed.
"""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path

import psutil

import containers
from testbed.labs.station_process import StationProcess

ISOLATION = (
    *("unshare", "--pid", "--net", "--mount-proc", "--fork", "--kill-child=KILL", "--"),
    *("sh", "-c", 'mount -t tmpfs tmpfs /dev/shm && exec "$@"', "sh"),
)


MEASURING = "testbed.labs.host.inside"  # the module that is a session's first process when cells are measured


class HostProcess(StationProcess):
    """A running host session."""

    word = "the session"

    def __init__(
        self,
        *,
        spool: Path,
        lane: int,
        native: Path,
        backend: str,
        contained: bool = False,
        module: str = MEASURING,
    ) -> None:
        """`native`: the folder of the compiled helpers; `backend`: what delays packets, of `emulations`.

        `contained`: whether it may have workers in containers.
        """
        self._spool = spool
        self._contained = contained
        words = [sys.executable, "-m", module, str(spool), str(lane), str(native), backend]
        super().__init__([*ISOLATION, *words], spool / f"session-{lane}.log")

    def cpu_s(self) -> float:
        """Processor time used, less that of `stay_awake`, which uses what nobody else wants."""
        return sum(self._cpu_s_of(process) for process in self._family() if not _idles(process))

    def stop(self) -> None:
        """Kill it, with all processes that it made; returns when they and its containers are gone."""
        super().stop()
        if self._contained:
            containers.await_end_of(self._spool)


def _idles(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return bool(process.name() == "stay_awake")
    return False
