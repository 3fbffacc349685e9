"""A guest: a User-Mode Linux kernel in virtual time, as an ordinary process of ours.

No root and no module is needed: the guest's root is the machine's own file system (hostfs) and its memory an unlinked
file. `time-travel=inf-cpu` advances the guest's clock only while all its processes sleep.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import psutil

from testbed.cache import cache_folder
from testbed.clean import LANE_ARGUMENT
from testbed.errors import UserError

MEMORY_BASE_BYTES = 1536 << 20  # kernel, session and fork server with torch
MEMORY_PER_WORKER_BYTES = 160 << 20


@dataclass(frozen=True, kw_only=True)
class GuestFiles:
    """What a guest is started from."""

    kernel: Path
    native: Path  # folder of blocking_progress.so, mnexec, join_rank
    spool: Path


def memory_bytes(workers: int) -> int:
    """Memory of a guest with that many workers; pages are taken from the machine only when they are touched."""
    return MEMORY_BASE_BYTES + workers * MEMORY_PER_WORKER_BYTES


def memory_folder(needed_bytes: int) -> Path:
    """Where a guest's memory file can lie: in memory where there is room for it, else with the temporary files."""
    for folder in (Path("/dev/shm"), Path(tempfile.gettempdir())):
        if folder.is_dir() and os.access(folder, os.W_OK) and shutil.disk_usage(folder).free > needed_bytes:
            return folder
    raise UserError(
        f"memory of {needed_bytes >> 20} MiB for a guest fits neither in /dev/shm nor in {tempfile.gettempdir()}; "
        "enlarge /dev/shm, set TMPDIR to a folder with room, or use fewer --jobs"
    )


def command_line(files: GuestFiles, *, lane: int, run_id: str, memory: int) -> list[str]:
    """The words that start a guest; what follows `--` are arguments of its first process."""
    return [
        str(files.kernel),
        f"mem={memory >> 20}M",
        "root=/dev/root",
        "rootfstype=hostfs",
        "rootflags=/",
        "rw",
        "time-travel=inf-cpu",
        "seccomp=auto",
        "con=null",
        "con0=null,fd:1",
        f"uml_dir={files.spool}",
        f"umid=lane{lane}",
        "panic=-1",
        "quiet",
        f"{LANE_ARGUMENT}{run_id}",
        f"init={sys.executable}",
        "--",
        "-m",
        "testbed.labs.virtual.inside",
        str(files.spool),
        str(lane),
        str(files.native),
        str(cache_folder()),
    ]


def _ending(status: int | None) -> str:
    """What an exit status says beyond the console."""
    if status is None or status >= 0:
        return ""
    name = signal.Signals(-status).name
    full = "; its memory file has no room: free some in /dev/shm, or use fewer --jobs" if name == "SIGBUS" else ""
    return f"ended by {name}{full}"


class Guest:
    """A running guest. `stop` ends it with all its processes; so does the end of the thread that started it."""

    word = "the guest"

    def __init__(self, files: GuestFiles, *, lane: int, run_id: str, workers: int) -> None:
        memory = memory_bytes(workers)
        self.log_path = files.spool / f"guest-{lane}.log"
        with self.log_path.open("ab") as log:
            # The guest dies with its parent (pdeathsig), and its own helper processes with it (UML asks for that).
            self._process = subprocess.Popen(
                [
                    "setpriv",
                    "--pdeathsig",
                    "KILL",
                    "--",
                    *command_line(files, lane=lane, run_id=run_id, memory=memory),
                ],
                env={
                    "PATH": os.environ["PATH"],
                    "HOME": str(files.spool),
                    "TMPDIR": str(memory_folder(memory)),
                },
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def ended(self) -> bool:
        """Whether the guest has halted or died."""
        return self._process.poll() is not None

    def wait(self, timeout_s: float) -> bool:
        """Wait for its end; whether it came."""
        try:
            self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return False
        return True

    def cpu_s(self) -> float:
        """Processor time that the guest has used, in seconds."""
        try:
            times = psutil.Process(self._process.pid).cpu_times()
        except psutil.NoSuchProcess:
            return 0.0
        return float(times.user + times.system)

    def stop(self) -> None:
        """Kill it, with all processes that it made; returns when they are gone."""
        try:
            family = [*psutil.Process(self._process.pid).children(recursive=True), self._process]
        except psutil.NoSuchProcess:
            family = [self._process]
        for process in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        self._process.wait()

    def last_words(self) -> str:
        """The end of the guest's console, on one line; of one that the kernel killed, the signal."""
        lines = self.log_path.read_text(errors="replace").split("\n") if self.log_path.exists() else []
        console = " | ".join(line.strip() for line in lines if line.strip()[:1])[-400:]
        return " | ".join(part for part in (console, _ending(self._process.poll())) if part)
