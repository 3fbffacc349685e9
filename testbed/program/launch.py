"""What a station is told of a user's program, through a file; and the environment that the program has."""

from __future__ import annotations

import dataclasses
import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from testbed.cell import Network
from testbed.labs.native import blocking_progress
from testbed.session.worker_group import MPI_VARIABLES
from topologies.addressing import worker_ip

EVENTS: Final = "events.jsonl"  # of a station's folder: what it says
CLOCK: Final = "clock"  # the lab's time, nanoseconds, written again and again while the program runs
RANKS: Final = "ranks"  # a folder: what ranks print, and what became of them
LAUNCHER_LOG: Final = "mpiexec.log"
_LAUNCH: Final = "launch.json"
_MASTER_PORT: Final = "29500"  # torch's default; every rank has a host of its own, so it is free
_HELD_MEMORY: Final = {  # glibc would give memory back again and again, and page faults are slow in a guest
    "MALLOC_MMAP_THRESHOLD_": "1073741824",
    "MALLOC_TRIM_THRESHOLD_": "1073741824",
    "MALLOC_TOP_PAD_": "67108864",
}


@dataclass(frozen=True, kw_only=True)
class Launch:
    """A program to be launched, one rank a host of the network."""

    words: tuple[str, ...]
    folder: str  # where it begins
    environment: Mapping[str, str]  # all of it, but what differs from rank to rank
    network: Network
    timeout_s: float | None

    def write(self, spool: Path) -> None:
        """Put it where `read` finds it."""
        (spool / RANKS).mkdir()
        (spool / _LAUNCH).write_text(json.dumps(dataclasses.asdict(self)))

    @classmethod
    def read(cls, spool: Path) -> Launch:
        """What `write` put there."""
        values = json.loads((spool / _LAUNCH).read_text())
        own = {"words": tuple(values["words"]), "network": Network.from_json(values["network"])}
        return cls(**values | own)


def search_path() -> str:
    """Where programs are looked for: as for the caller, then where Gradwire's own Python is."""
    return f"{os.environ.get('PATH', os.defpath)}:{_bin()}"


def environment(native: Path, ranks: int, given: Mapping[str, str], *, in_guest: bool) -> dict[str, str]:
    """The caller's environment, what launches and ties ranks together, and what was `given`, which has the last word.

    `native`: folder of the compiled helpers.
    """
    waiting = blocking_progress(native)
    preloaded = " ".join(filter(None, [waiting["LD_PRELOAD"], os.environ.get("LD_PRELOAD")]))
    libraries = ":".join(filter(None, [os.environ.get("LD_LIBRARY_PATH"), str(_bin().parent / "lib")]))
    return {
        **os.environ,
        **(_HELD_MEMORY if in_guest else {}),
        **MPI_VARIABLES,
        **waiting,
        "LD_PRELOAD": preloaded,
        "LD_LIBRARY_PATH": libraries,  # for compiled programs: any MPI of MPICH's ABI is replaced by ours
        "PATH": search_path(),
        "PYTHONUNBUFFERED": "1",  # what is printed comes through when it is printed
        "MASTER_ADDR": worker_ip(0),
        "MASTER_PORT": _MASTER_PORT,
        "WORLD_SIZE": str(ranks),
        "LOCAL_RANK": "0",
        "LOCAL_WORLD_SIZE": "1",
        **given,
    }


def _bin() -> Path:
    return Path(sys.executable).parent
