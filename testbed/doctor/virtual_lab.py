"""Checks of the virtual lab: its kernel, whether a guest starts, and what guests find of memory and cores."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import psutil

from testbed.command import run
from testbed.doctor.check import Check, Verdict, failed, passed, warned
from testbed.errors import LabError, UserError
from testbed.labs.virtual import kernel, kernel_source
from testbed.labs.virtual.guest import memory_bytes, memory_folder

_SET_UP = "run `make setup`"
_BOOT_TIMEOUT_S = 60.0
_BOOTED = "as init process"  # what the kernel says when it hands over to the guest's first program
_GIB = 2**30
_WORKERS = 8  # of a guest in the shipped sweeps


def kernel_is_built() -> Verdict:
    """Whether the virtual lab's kernel is in the cache, and from the source that is the fastest."""
    if kernel.find() is None:
        return failed("not built", f"{_SET_UP} (some minutes)")
    record = kernel.provenance()
    found = f"{record['package']} {record['version']}"
    best = kernel_source.PREFERRED[0].package
    if record["package"] != best:
        return warned(found, f"{best} runs guests about twice as fast: remove {kernel.find()} and {_SET_UP}")
    return passed(found)


def guest_starts() -> Verdict:
    """Whether the kernel runs here as far as its first program, with seccomp or with ptrace."""
    linux = kernel.find()
    if linux is None:
        return failed("no kernel to start", _SET_UP)
    tried = {way: boots(linux, way) for way in ("seccomp=on", "seccomp=off")}
    if tried["seccomp=on"]:
        return passed("with seccomp")
    if tried["seccomp=off"]:
        return warned(
            "with ptrace only",
            "guests take about twice as long: a kernel of Linux 7 and a host that "
            "admits nested seccomp filters are faster",
        )
    return failed(
        "a guest does not start: this machine forbids ptrace and seccomp, or the memory file",
        "admit ptrace (a container needs --cap-add SYS_PTRACE), or set TMPDIR to where programs may run",
    )


def boots(linux: Path, seccomp: str) -> bool:
    """Start a guest whose first program ends at once, and the kernel with it; whether it got that far."""
    argv: list[str | Path] = [
        linux,
        "mem=64M",
        seccomp,
        "root=/dev/root",
        "rootfstype=hostfs",
        "rootflags=/",
        "ro",
        "con=null",
        "con0=null,fd:2",
        "panic=-1",
        "init=/bin/true",
    ]
    try:  # the guest ends in a panic, whatever it did: its words count, not its status
        said = run(["sh", "-c", '"$@" 2>&1; true', "boot", *argv], timeout_s=_BOOT_TIMEOUT_S)
    except LabError:
        return False
    return _BOOTED in said


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


CHECKS = (
    Check(name="guest kernel", look=kernel_is_built, fix=lambda: kernel.ensure(lambda _: None)),
    Check(name="guest starts", look=guest_starts),
    Check(name="memory", look=memory),
    Check(name="cores", look=cores),
    Check(name="guests' memory file", look=memory_file),
)
