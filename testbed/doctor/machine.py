"""Checks of the machine for every lab: room for the cache and for results, and what killed runs left."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from testbed import clean
from testbed.cache import cache_folder
from testbed.doctor.check import Check, Verdict, failed, passed, warned

_GIB = 2**30
_ROOM_TO_BUILD_GIB = 3.0  # a kernel's source and objects
_ROOM_TO_RUN_GIB = 0.5
_ROOM_FOR_RESULTS_GIB = 0.5


def free_space() -> Verdict:
    """Whether the cache's file system has room for a kernel build."""
    folder = existing(cache_folder())
    free_gib = shutil.disk_usage(folder).free / _GIB
    found = f"{free_gib:.1f} GiB free in {folder}"
    if free_gib < _ROOM_TO_RUN_GIB:
        return failed(found, f"make room: a run needs {_ROOM_TO_RUN_GIB:g} GiB, a kernel build {_ROOM_TO_BUILD_GIB:g}")
    if free_gib < _ROOM_TO_BUILD_GIB:
        return warned(found, f"a kernel build needs {_ROOM_TO_BUILD_GIB:g} GiB: make room, or set GRADWIRE_CACHE")
    return passed(found)


def existing(folder: Path) -> Path:
    """A folder, or the nearest one above it that exists."""
    return next(path for path in (folder, *folder.parents) if path.is_dir())


def runs_space() -> Verdict:
    """Whether results find room where a sweep puts them by default: in `runs`, here."""
    folder = existing(Path("runs").absolute())
    free_gib = shutil.disk_usage(folder).free / _GIB
    found = f"{free_gib:.1f} GiB free in {folder}"
    if not os.access(folder, os.W_OK):
        return warned(f"{folder} is not yours to write to", "go to a folder of your own, or use --run FOLDER")
    if free_gib < _ROOM_FOR_RESULTS_GIB:
        return warned(found, f"a sweep's results take up to {_ROOM_FOR_RESULTS_GIB:g} GiB: make room, or use --run")
    return passed(found)


def left_behind() -> Verdict:
    """Whether guests or spool folders of killed runs remain."""
    found = clean.leftovers()
    if found:
        return warned("; ".join(map(str, found)), "run `gradwire clean`")
    return passed("nothing")


CHECKS = (
    Check(name="room for the cache", look=free_space),
    Check(name="room for results", look=runs_space),
    Check(name="left by killed runs", look=left_behind, fix=clean.reap),
)
