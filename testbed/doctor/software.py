"""Checks of what set-up installs, builds and fetches: packages, MPI, kernel, C helpers, data set."""

from __future__ import annotations

import importlib.metadata
import re
import sys
from collections.abc import Iterable
from pathlib import Path

from testbed.command import run
from testbed.doctor.check import Check, Verdict, failed, passed, warned
from testbed.errors import LabError, UserError
from testbed.labs import native
from testbed.labs.virtual import kernel, kernel_source

PACKAGES_FILE = Path(__file__).parents[2] / "setup/debian-packages.txt"
_OLDEST_PYTHON = (3, 11)
_SET_UP = "run `make setup`"
_BOOT_TIMEOUT_S = 60.0
_BOOTED = "as init process"  # what the kernel says when it hands over to the guest's first program


def debian_packages() -> Verdict:
    """Whether every package of setup/debian-packages.txt is installed."""
    wanted = listed(PACKAGES_FILE.read_text())
    try:
        known = run(["dpkg-query", "--show", "--showformat", "${db:Status-Status} ${Package}\n"])
    except LabError as error:
        return warned(f"cannot tell: {error}", f"see that what {PACKAGES_FILE.name} lists is there")
    missing = sorted(set(wanted) - {line.split()[1] for line in known.splitlines() if line.startswith("installed ")})
    if missing:
        return failed(f"missing: {' '.join(missing)}", f"apt-get install --no-install-recommends {' '.join(missing)}")
    return passed(f"all {len(wanted)} installed")


def listed(text: str) -> list[str]:
    """The package names of a list that has one a line, with comments on lines of their own."""
    return [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]


def python_version() -> Verdict:
    """Whether this Python is new enough."""
    found = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info < _OLDEST_PYTHON:
        return failed(
            f"Python {found}", f"install Python {'.'.join(map(str, _OLDEST_PYTHON))} or newer, then {_SET_UP}"
        )
    return passed(f"Python {found}")


def python_packages() -> Verdict:
    """Whether every pinned package is installed in its pinned version."""
    pins = pinned(importlib.metadata.requires("gradwire") or [])
    wrong = []
    for name, version in pins.items():
        try:
            installed = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            wrong.append(f"{name} missing")
            continue
        if installed.partition("+")[0] != version:  # torch 2.13.0+cpu is torch 2.13.0
            wrong.append(f"{name} {installed}, pinned {version}")
    return failed("; ".join(wrong), _SET_UP) if wrong else passed(f"all {len(pins)} as pinned")


def pinned(requirements: Iterable[str]) -> dict[str, str]:
    """Name and version of the requirements `name==version`; those of extras (`; extra == …`) are left out."""
    matches = (re.fullmatch(r"([\w.-]+)==([\w.]+)", requirement.strip()) for requirement in requirements)
    return {match[1]: match[2] for match in matches if match}


def mpi_library() -> Verdict:
    """Whether mpi4py finds MPICH; in a process of its own, which a broken library may end."""
    code = "import mpi4py; mpi4py.rc.initialize = 0; from mpi4py import MPI; print(MPI.Get_library_version())"
    try:
        found = " ".join(run([sys.executable, "-c", code], timeout_s=60).splitlines()[0].split())
    except (LabError, IndexError) as error:
        return failed(f"mpi4py finds no MPI library: {error}", _SET_UP)
    if not found.startswith("MPICH"):
        return failed(
            f"mpi4py uses {found}",
            f"workers need MPICH: remove the other MPI from its search path, or {_SET_UP}",
        )
    return passed(found)


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


def native_is_built() -> Verdict:
    """Whether the C helpers are compiled."""
    try:
        folder = native.find()
    except LabError as error:
        return failed(str(error), "restore the file from the repository")
    if folder is None:
        return failed("not compiled", _SET_UP)
    return passed(", ".join(helper.name for helper in native.HELPERS))


def data_set() -> Verdict:
    """Whether the shipped sweeps' data set is here: CIFAR-10, or its stand-in."""
    from testbed.workloads import (
        data,
    )  # imports torch, which takes a second: not for whoever only wants the others

    try:
        source = data.find(data.CIFAR10, data.FASHION_MNIST)
    except UserError as error:
        return failed(str(error), "run `make data`")
    return passed(source.name)


def _fetch_data() -> None:
    """What `make data` does."""
    from testbed.workloads import data

    data.fetch(lambda _: None)


CHECKS = (
    Check(name="Debian packages", look=debian_packages),
    Check(name="Python", look=python_version),
    Check(name="Python packages", look=python_packages),
    Check(name="MPI library", look=mpi_library),
    Check(name="C helpers", look=native_is_built, fix=native.ensure),
    Check(name="guest kernel", look=kernel_is_built, fix=lambda: kernel.ensure(lambda _: None)),
    Check(name="guest starts", look=guest_starts),
    Check(name="data set", look=data_set, fix=_fetch_data),
)
