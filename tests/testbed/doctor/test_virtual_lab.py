import os
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from testbed.doctor import virtual_lab
from testbed.doctor.check import Level
from testbed.labs.virtual import kernel


def test_little_memory_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=2**30))
    assert virtual_lab.memory().level is Level.WARN


def test_one_core_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0})
    assert virtual_lab.cores().level is Level.WARN


def test_memory_file_where_programs_may_not_run_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(virtual_lab, "memory_folder", lambda _: Path("/tmp"))
    monkeypatch.setattr(os, "statvfs", lambda _: SimpleNamespace(f_flag=os.ST_NOEXEC))
    verdict = virtual_lab.memory_file()
    assert (verdict.level, verdict.found) == (Level.FAIL, "/tmp is mounted noexec")


def test_slower_kernel_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel, "find", lambda: Path("linux"))
    monkeypatch.setattr(kernel, "provenance", lambda: {"package": "linux-source-6.12", "version": "6.12.1"})
    assert virtual_lab.kernel_is_built().level is Level.WARN


@pytest.mark.parametrize(
    ("works", "level"),
    [
        ({"seccomp=on", "seccomp=off"}, Level.PASS),
        ({"seccomp=off"}, Level.WARN),
        (set(), Level.FAIL),
    ],
)
def test_guest_with_ptrace_only_is_a_warning(monkeypatch: pytest.MonkeyPatch, works: set[str], level: Level) -> None:
    monkeypatch.setattr(kernel, "find", lambda: Path("linux"))
    monkeypatch.setattr(virtual_lab, "boots", lambda _, way: way in works)
    assert virtual_lab.guest_starts().level is level


def test_program_that_is_no_kernel_does_not_boot() -> None:
    assert not virtual_lab.boots(Path("/bin/true"), "seccomp=on")


@pytest.mark.virtual
@pytest.mark.skipif(kernel.find() is None, reason="the virtual lab's kernel is not built")
def test_the_kernel_starts_a_guest_with_ptrace() -> None:
    linux = kernel.find()
    assert linux is not None
    assert virtual_lab.boots(linux, "seccomp=off")
