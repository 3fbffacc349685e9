"""Checks of the machine: room, memory, cores, the guests' memory file, and what killed runs left."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import psutil

from testbed import clean
from testbed.cache import cache_folder
from testbed.doctor.check import Check, Verdict, failed, passed, warned
from testbed.errors import UserError
from testbed.labs.virtual.guest import memory_bytes, memory_folder

_GIB = 2**30
_ROOM_TO_BUILD_GIB = 3.0  # a kernel's source and objects
_ROOM_TO_RUN_GIB = 0.5
_WORKERS = 8  # of a guest in the shipped sweeps


def free_space() -> Verdict:
    """Whether the cache's file system has room for a kernel build."""
    folder = _existing(cache_folder())
    free_gib = shutil.disk_usage(folder).free / _GIB
    found = f"{free_gib:.1f} GiB free in {folder}"
    if free_gib < _ROOM_TO_RUN_GIB:
        return failed(found, f"make room: a run needs {_ROOM_TO_RUN_GIB:g} GiB, a kernel build {_ROOM_TO_BUILD_GIB:g}")
    if free_gib < _ROOM_TO_BUILD_GIB:
        return warned(found, f"a kernel build needs {_ROOM_TO_BUILD_GIB:g} GiB: make room, or set GRADWIRE_CACHE")
    return passed(found)


def _existing(folder: Path) -> Path:
    """A folder, or the nearest one above it that exists."""
    return next(path for path in (folder, *folder.parents) if path.is_dir())


def memory() -> Verdict:
    """Whether a guest of eight workers fits into memory."""
    free_bytes, needed_bytes = psutil.virtual_memory().available, memory_bytes(_WORKERS)
    found = f"{free_bytes / _GIB:.1f} GiB available"
    if free_bytes < needed_bytes:
        needed = f"a guest of {_WORKERS} workers needs {needed_bytes / _GIB:.1f} GiB"
        return warned(found, f"{needed}: use fewer workers, or end other programs")
    return passed(f"{found}: room for {free_bytes // needed_bytes} guests of {_WORKERS} workers")


def cores() -> Verdict:
    """How many guests can run side by side."""
    count = len(os.sched_getaffinity(0))
    if count < 2:
        return warned("1 core", "sweeps run one guest at a time; a second core halves their time")
    return passed(f"{count}: as many guests side by side")


def memory_file() -> Verdict:
    """Whether the file that is a guest's memory finds room, in a place where programs may run."""
    needed_bytes = memory_bytes(_WORKERS)
    try:
        folder = memory_folder(needed_bytes)
    except UserError as error:
        return failed("no room for it", str(error))
    if os.statvfs(folder).f_flag & os.ST_NOEXEC:
        return failed(f"{folder} is mounted noexec", f"remount it: mount -o remount,exec {folder}")
    return passed(f"{shutil.disk_usage(folder).free / _GIB:.1f} GiB free in {folder}")


def left_behind() -> Verdict:
    """Whether guests or spool folders of killed runs remain."""
    found = clean.leftovers()
    if found:
        return warned("; ".join(map(str, found)), "run `gradwire clean`")
    return passed("nothing")


CHECKS = (
    Check(name="free space", look=free_space),
    Check(name="memory", look=memory),
    Check(name="cores", look=cores),
    Check(name="guests' memory file", look=memory_file),
    Check(name="left by killed runs", look=left_behind, fix=clean.reap),
)
