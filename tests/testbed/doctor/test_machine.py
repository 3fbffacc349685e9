import os
import shutil
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from testbed import clean
from testbed.doctor import machine
from testbed.doctor.check import Level


@pytest.mark.parametrize(("free_gib", "level"), [(50, Level.PASS), (1, Level.WARN), (0.1, Level.FAIL)])
def test_free_space(monkeypatch: pytest.MonkeyPatch, free_gib: float, level: Level) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=free_gib * 2**30))
    assert machine.free_space().level is level


def test_space_is_that_of_the_folder_that_will_hold_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADWIRE_CACHE", str(tmp_path / "not" / "yet"))
    assert str(tmp_path) in machine.free_space().found


def test_little_memory_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=2**30))
    assert machine.memory().level is Level.WARN


def test_one_core_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0})
    assert machine.cores().level is Level.WARN


def test_memory_file_where_programs_may_not_run_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "memory_folder", lambda _: Path("/tmp"))
    monkeypatch.setattr(os, "statvfs", lambda _: SimpleNamespace(f_flag=os.ST_NOEXEC))
    verdict = machine.memory_file()
    assert (verdict.level, verdict.found) == (Level.FAIL, "/tmp is mounted noexec")


def test_leftovers_are_a_warning_that_can_be_repaired(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    (tmp_path / "gradwire" / "gradwire-dead").mkdir(parents=True)
    assert machine.left_behind().level is Level.WARN
    clean.reap()
    assert machine.left_behind().level is Level.PASS
