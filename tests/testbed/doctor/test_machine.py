import os
import shutil
from pathlib import Path
from types import SimpleNamespace

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


def test_results_are_put_where_the_user_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    verdict = machine.runs_space()
    assert verdict.level is Level.PASS and str(tmp_path) in verdict.found
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert machine.runs_space().level is Level.WARN


def test_leftovers_are_a_warning_that_can_be_repaired(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    (tmp_path / "gradwire" / "gradwire-dead").mkdir(parents=True)
    assert machine.left_behind().level is Level.WARN
    clean.reap()
    assert machine.left_behind().level is Level.PASS
