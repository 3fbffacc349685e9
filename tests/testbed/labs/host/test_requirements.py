from __future__ import annotations

import os

import pytest

from testbed.labs.host import requirements


@pytest.fixture
def root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(requirements, "ISOLATION", ("env",))


def test_whoever_is_not_root_is_told_the_other_lab(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert "needs root" in str(requirements.missing())
    assert "lab virtual" in str(requirements.missing())


def test_a_missing_program_is_named_with_its_package(root: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requirements, "PROGRAMS", {"no-such-program": "some-package"})
    assert requirements.missing() == (
        "lab host needs the program no-such-program: install the Debian package some-package"
    )


def test_what_the_kernel_refuses_is_said_in_its_words(root: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requirements, "PROGRAMS", {})
    monkeypatch.setattr(requirements, "TRIALS", {"this": "true", "that": "echo not here >&2; false"})
    assert requirements.missing() == "lab host needs that, which this machine refuses (not here); use lab virtual"


def test_nothing_is_missing_where_all_trials_pass(root: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requirements, "PROGRAMS", {"sh": "dash"})
    monkeypatch.setattr(requirements, "TRIALS", {"this": "true"})
    assert requirements.missing() is None
