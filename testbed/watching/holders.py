"""Whether a process holds a file's lock, seen without taking part.

A try to lock would, for a moment, shut out whoever has a right to it.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

LOCKS: Final = Path(
    "/proc/locks"
)  # proc(5): a line for each, with the file as MAJOR:MINOR:INODE, numbers of devices in hex


def is_locked(path: Path, locks: Path = LOCKS) -> bool | None:
    """Whether some process holds an flock of the file at `path`; None where the kernel does not tell."""
    try:
        lines = locks.read_text().splitlines()
    except OSError:
        return None
    try:
        of_file = path.stat()
    except OSError:
        return False
    name = f"{os.major(of_file.st_dev):02x}:{os.minor(of_file.st_dev):02x}:{of_file.st_ino}"
    held = [words for line in lines if "->" not in (words := line.split())]  # an arrow: it waits for the lock
    return any(words[1] == "FLOCK" and words[5] == name for words in held)
