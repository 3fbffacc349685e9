"""A guest: a User-Mode Linux kernel in virtual time, as an ordinary process of ours.

No root and no module is needed: the guest's root is the machine's own file system (hostfs) and its memory an unlinked
file. `time-travel=inf-cpu` advances the guest's clock only while all its processes sleep.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from testbed.cache import cache_folder
from testbed.clean import LANE_ARGUMENT
from testbed.errors import UserError
from testbed.labs.spool import PYTHON_PATH_FILE
from testbed.labs.station_process import StationProcess

MEMORY_BASE_BYTES = 1536 << 20  # kernel, session and fork server with torch
MEMORY_PER_WORKER_BYTES = 160 << 20
FLOAT_BYTES = 4
# Beside that, of one that computes its gradients: data and activations. ResNet-20 with batches of 128 has 340 MiB.
MEMORY_TO_COMPUTE_BYTES = 448 << 20


@dataclass(frozen=True, kw_only=True)
class GuestFiles:
    """What a guest is started from."""

    kernel: Path
    native: Path  # folder of blocking_progress.so, mnexec, join_rank
    spool: Path


def memory_bytes(workers: int, values: int = 0, *, computing: bool = False) -> int:
    """Memory of a guest with that many workers, each with so many float32 values in its vectors.

    Pages are taken from the machine only when they are touched. `computing`: their gradients, in the place of replaying
    them.
    """
    of_worker = MEMORY_PER_WORKER_BYTES + values * FLOAT_BYTES + computing * MEMORY_TO_COMPUTE_BYTES
    return MEMORY_BASE_BYTES + workers * of_worker


def memory_folder(needed_bytes: int) -> Path:
    """Where a guest's memory file can lie: in memory where there is room for it, else with the temporary files."""
    for folder in (Path("/dev/shm"), Path(tempfile.gettempdir())):
        if folder.is_dir() and os.access(folder, os.W_OK) and shutil.disk_usage(folder).free > needed_bytes:
            return folder
    raise UserError(
        f"memory of {needed_bytes >> 20} MiB for a guest fits neither in /dev/shm nor in {tempfile.gettempdir()}; "
        "enlarge /dev/shm, set TMPDIR to a folder with room, or use fewer --jobs"
    )


MEASURING = "testbed.labs.virtual.inside"  # the module that is a guest's first process when cells are measured


def command_line(files: GuestFiles, *, lane: int, run_id: str, memory: int, module: str = MEASURING) -> list[str]:
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
        module,
        str(files.spool),
        str(lane),
        str(files.native),
        str(cache_folder()),
    ]


def leave_python_path(spool: Path) -> None:
    """Tell guests where else this process looks for packages: algorithms, codecs and workloads may lie there."""
    entries = [entry for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep) if entry]
    (spool / PYTHON_PATH_FILE).write_text(os.pathsep.join(str(Path(entry).absolute()) for entry in entries))


class Guest(StationProcess):
    """A running guest; its own helper processes die with it, as UML asks for that."""

    word = "the guest"

    def __init__(self, files: GuestFiles, *, lane: int, run_id: str, memory: int, module: str = MEASURING) -> None:
        super().__init__(
            command_line(files, lane=lane, run_id=run_id, memory=memory, module=module),
            files.spool / f"guest-{lane}.log",
            {"PATH": os.environ["PATH"], "HOME": str(files.spool), "TMPDIR": str(memory_folder(memory))},
        )

    @staticmethod
    def _ending(status: int | None) -> str:
        full = status == -signal.SIGBUS
        hint = "; its memory file has no room: free some in /dev/shm, or use fewer --jobs" if full else ""
        return StationProcess._ending(status) + hint
