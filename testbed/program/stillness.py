"""Finding a program that spins: in a guest, time stands still while it does, and nothing inside can notice."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping, Sequence
from io import FileIO
from pathlib import Path
from typing import Final

import psutil

BUSY_SHARE: Final = 0.2  # of the busiest process's time: whoever used more is busy, too
_RANK: Final = re.compile(rb"(?:^|\0)PMI_RANK=(\d+)\0")
_ENVIRONMENT_BYTES: Final = 1 << 20  # at the top of the stack: where the kernel puts it

Times = Mapping[int, float]  # seconds of processor time by process


class Stillness:
    """Watches a guest from outside: its clock, and the processor time that its processes use while that stands still.

    A guest's processes are children of its kernel here, with their own memory, in which their environment is found.
    """

    def __init__(self, guest: int, clock: Path, patience_s: float, ranks: int) -> None:
        """`guest`: the process that is its kernel; `patience_s`: seconds of a single rank's processor time."""
        self._guest = guest
        self._clock = clock
        self.patience_s = patience_s
        self._ranks = ranks
        self._shown = ""
        self._before: Times = {}

    def look(self) -> str | None:
        """Which ranks have been busy for longer than patience lasts while time stood still; None while all is well."""
        shown = self._clock.read_text() if self._clock.exists() else ""
        now = _times(self._guest)
        if shown != self._shown or not shown:
            self._shown, self._before = shown, now
            return None
        used = {process: time_s - self._before.get(process, 0.0) for process, time_s in now.items()}
        if not self._lasts_too_long(used):
            return None
        return in_words(sorted({rank for process in _busy(used, self._guest) for rank in ranks_of(process)}))

    def _lasts_too_long(self, used: Times) -> bool:
        """A rank's own time shows in its process, what the kernel does for it in the kernel's."""
        own = max((time_s for process, time_s in used.items() if process != self._guest), default=0.0)
        return own > self.patience_s or sum(used.values()) > self.patience_s * (self._ranks + 1)


def _times(guest: int) -> Times:
    found = {}
    with contextlib.suppress(psutil.NoSuchProcess):
        kernel = psutil.Process(guest)
        for process in (kernel, *kernel.children(recursive=True)):
            with contextlib.suppress(psutil.NoSuchProcess):
                times = process.cpu_times()
                found[process.pid] = float(times.user + times.system)
    return found


def _busy(used: Times, guest: int) -> list[int]:
    own = {process: time_s for process, time_s in used.items() if process != guest}
    most = max(own.values(), default=0.0)
    return [process for process, time_s in own.items() if time_s > 0 and time_s >= BUSY_SHARE * most]


def ranks_of(process: int) -> list[int]:
    """The rank that a guest's process is, by the environment in its memory; nothing where it is none."""
    with contextlib.suppress(OSError, ValueError):
        regions = [line.split()[0].split("-") for line in Path(f"/proc/{process}/maps").read_text().splitlines()]
        with Path(f"/proc/{process}/mem").open("rb", buffering=0) as memory:
            return _find(memory, [(int(start, 16), int(end, 16)) for start, end in regions])
    return []


def _find(memory: FileIO, regions: Sequence[tuple[int, int]]) -> list[int]:
    """The rank in the environment of a process with these regions of memory, which are looked at from the top."""
    left, parts = _ENVIRONMENT_BYTES, []
    for start, end in sorted(regions, reverse=True):
        size = min(end - start, left)
        with contextlib.suppress(OSError, OverflowError):  # the kernel's own, and what nobody may read
            memory.seek(end - size)
            parts.append(memory.read(size))
            left -= size
        if left <= 0:
            break
    found = _RANK.search(b"".join(reversed(parts)))
    return [int(found.group(1))] if found else []


def in_words(ranks: Sequence[int]) -> str:
    """Ranks in words: `rank 2`, `ranks 0, 1 and 3`; of none, that it is not known which."""
    *firsts, last = map(str, ranks) if ranks else ["a rank"]
    if not ranks:
        return last
    return f"ranks {', '.join(firsts)} and {last}" if firsts else f"rank {last}"
