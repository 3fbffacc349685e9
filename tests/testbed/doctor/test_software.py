import importlib.metadata
from typing import NoReturn

import pytest

from testbed.doctor import software
from testbed.doctor.check import Level
from testbed.errors import LabError


def test_list_has_one_package_a_line_and_comments() -> None:
    assert software.listed("# why\ngcc\n\nflex\n") == ["gcc", "flex"]


def test_missing_debian_packages_are_named_with_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = software.listed(software.PACKAGES_FILE.read_text())
    known = "".join(f"installed {name}\n" for name in wanted if name != "flex") + "config-files flex\n"
    monkeypatch.setattr(software, "run", lambda *_, **__: known)
    verdict = software.debian_packages()
    assert (verdict.level, verdict.found) == (Level.FAIL, "missing: flex")
    assert verdict.remedy == "apt-get install --no-install-recommends flex"


def test_machine_without_dpkg_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(*_: object, **__: object) -> NoReturn:
        raise LabError("command dpkg-query cannot start")

    monkeypatch.setattr(software, "run", run)
    assert software.debian_packages().level is Level.WARN


def test_pins_leave_extras_out() -> None:
    assert software.pinned(["torch==2.13.0", 'ruff==0.1; extra == "dev"']) == {"torch": "2.13.0"}


@pytest.mark.parametrize(
    ("installed", "level"), [("2.13.0", Level.PASS), ("2.13.0+cpu", Level.PASS), ("2.12.0", Level.FAIL)]
)
def test_version_is_compared_without_its_local_part(
    monkeypatch: pytest.MonkeyPatch, installed: str, level: Level
) -> None:
    monkeypatch.setattr(importlib.metadata, "requires", lambda _: ["torch==2.13.0"])
    monkeypatch.setattr(importlib.metadata, "version", lambda _: installed)
    assert software.python_packages().level is level


def test_other_mpi_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(software, "run", lambda *_, **__: "Open MPI v4.1.4\n")
    verdict = software.mpi_library()
    assert verdict.level is Level.FAIL
    assert "MPICH" in verdict.remedy


def test_the_launcher_starts_two_ranks() -> None:
    assert software.mpi_launcher().level is Level.PASS


def test_a_launcher_whose_ranks_do_not_know_their_numbers_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(software, "run", lambda *_, **__: "\n\n")
    assert software.mpi_launcher().level is Level.FAIL
