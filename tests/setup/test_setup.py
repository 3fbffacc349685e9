"""Set-up's decisions, with the slow programs (apt-get, python3, the modules that build) replaced."""

import os
import re
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]
PACKAGES = [
    line for line in (CHECKOUT / "setup/debian-packages.txt").read_text().splitlines() if line and line[0] != "#"
]
# Stands in for python3 and for the environment's own python: notes its arguments, makes what they make.
PYTHON = """#!/bin/bash
echo "$*" >>"$CALLS"
case "$*" in
  --version) echo Python 3.11.2 ;;
  "-m venv --clear .venv")
    rm -rf .venv; mkdir -p .venv/bin; cp "$0" .venv/bin/python; cp "$0" .venv/bin/gradwire ;;
  "-m testbed.labs.virtual") [[ -z ${BUILD_FAILS:-} ]] || exit 1; touch "$PRODUCT"; echo "$PRODUCT" ;;
esac
"""
DPKG_QUERY = """#!/bin/bash
for package in $INSTALLED; do echo "installed $package"; done
exit 1
"""
APT_GET = """#!/bin/bash
echo "apt-get $*" >>"$CALLS"
exit 100
"""


@dataclass
class Machine:
    """A checkout and the programs on its PATH."""

    folder: Path
    installed: list[str]
    environment: dict[str, str]

    def set_up(self, **more: str) -> subprocess.CompletedProcess[str]:
        """Run set-up as `make setup` does."""
        environment = self.environment | {"INSTALLED": " ".join(self.installed)} | more
        return subprocess.run(
            [self.folder / "checkout/setup/setup.sh"],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def calls(self) -> list[str]:
        """What the replaced programs were asked since the last time, less questions for a version."""
        file = Path(self.environment["CALLS"])
        asked = file.read_text().splitlines() if file.exists() else []
        file.unlink(missing_ok=True)
        return [call for call in asked if call != "--version" and not call.startswith("-c ")]

    @property
    def product(self) -> Path:
        """The file that the replaced build makes."""
        return Path(self.environment["PRODUCT"])


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    checkout, programs = tmp_path / "checkout", tmp_path / "bin"
    shutil.copytree(CHECKOUT / "setup", checkout / "setup")
    shutil.copy(CHECKOUT / "pyproject.toml", checkout)
    for part in ("testbed", "topologies", "shaping", "containers"):
        shutil.copytree(CHECKOUT / part, checkout / part, ignore=shutil.ignore_patterns("__pycache__"))
    programs.mkdir()
    for name, text in (("python3", PYTHON), ("dpkg-query", DPKG_QUERY), ("apt-get", APT_GET)):
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    environment = {
        "PATH": f"{programs}:{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "CALLS": str(tmp_path / "calls"),
        "PRODUCT": str(tmp_path / "product"),
    }
    return Machine(tmp_path, list(PACKAGES), environment)


def test_first_set_up_makes_everything_and_shows_stages(machine: Machine) -> None:
    done = machine.set_up()
    assert done.returncode == 0, done.stderr
    calls = machine.calls()
    assert calls[0] == "-m venv --clear .venv"
    assert "--editable .[dev]" in calls[1]
    assert calls[2:] == ["-m testbed.labs.virtual"]
    assert re.search(r"Debian packages: ready \(\d+ s\)", done.stderr)
    assert re.search(r"all is there after \d+ s", done.stderr)


def test_second_set_up_does_nothing_quickly_and_silently(machine: Machine) -> None:
    machine.set_up()
    machine.calls()
    started_s = time.monotonic()
    done = machine.set_up()
    assert time.monotonic() - started_s < 2
    assert (done.returncode, done.stderr, machine.calls()) == (0, "", [])


def test_changed_kernel_configuration_leaves_python_packages_alone(machine: Machine) -> None:
    machine.set_up()
    machine.calls()
    with (machine.folder / "checkout/testbed/labs/virtual/kernel.config").open("a") as file:
        file.write("CONFIG_X=y\n")
    machine.set_up()
    assert machine.calls() == ["-m testbed.labs.virtual"]


@pytest.mark.parametrize("path", ["topologies/mnexec.c", "shaping/delay_line.c", "testbed/session/blocking_progress.c"])
def test_changed_c_source_is_noticed(machine: Machine, path: str) -> None:
    machine.set_up()
    machine.calls()
    (machine.folder / "checkout" / path).write_text("int changed;\n")
    machine.set_up()
    assert "-m testbed.labs.virtual" in machine.calls()


def test_changed_pins_are_installed(machine: Machine) -> None:
    machine.set_up()
    machine.calls()
    with (machine.folder / "checkout/pyproject.toml").open("a") as file:
        file.write("# new\n")
    machine.set_up()
    assert any("--editable" in call for call in machine.calls())


def test_deleted_cache_is_noticed(machine: Machine) -> None:
    machine.set_up()
    machine.calls()
    machine.product.unlink()
    machine.set_up()
    assert machine.product.exists()


def test_moved_checkout_gets_a_new_environment(machine: Machine) -> None:
    machine.set_up()
    machine.calls()
    (machine.folder / "checkout").rename(machine.folder / "moved")
    (machine.folder / "moved").rename(machine.folder / "elsewhere")
    (machine.folder / "checkout").symlink_to(machine.folder / "elsewhere")
    subprocess.run(
        [machine.folder / "elsewhere/setup/setup.sh"],
        env=machine.environment | {"INSTALLED": " ".join(PACKAGES)},
        capture_output=True,
        check=True,
    )
    assert "-m venv --clear .venv" in machine.calls()


def test_failed_build_is_not_taken_for_done(machine: Machine) -> None:
    assert machine.set_up(BUILD_FAILS="1").returncode == 1
    machine.calls()
    assert machine.set_up().returncode == 0
    assert "-m testbed.labs.virtual" in machine.calls()


def test_missing_packages_that_cannot_be_installed_are_named_in_a_command(machine: Machine) -> None:
    machine.installed.remove("flex")
    machine.installed.remove("bridge-utils")
    done = machine.set_up()
    assert done.returncode == 2
    assert "apt-get install --no-install-recommends bridge-utils flex" in done.stderr
    assert not any("venv" in call for call in machine.calls())


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become someone else")
def test_user_without_rights_is_told_the_command(machine: Machine) -> None:
    machine.installed.remove("flex")
    for path in (machine.folder, *machine.folder.rglob("*")):
        os.chown(path, 65534, 65534)
    script = machine.folder / "checkout/setup/setup.sh"
    for folder in machine.folder.parents:
        if folder.stat().st_uid == os.geteuid() and folder.name.startswith("pytest"):
            folder.chmod(0o755)
    done = subprocess.run(
        ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", script],
        env=machine.environment | {"INSTALLED": " ".join(machine.installed)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "run  sudo apt-get install --no-install-recommends flex" in done.stderr
    assert not any("apt-get" in call for call in machine.calls())


def test_packages_are_listed_once() -> None:
    assert len(PACKAGES) == len(set(PACKAGES))


def test_help_names_every_target() -> None:
    text = (CHECKOUT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z-]+):(?!=)", text, re.MULTILINE))
    shown = subprocess.run(["make", "-s", "-C", CHECKOUT], capture_output=True, text=True, check=True).stdout
    assert targets == set(re.findall(r"make ([\w-]+) ", shown))
    assert targets == set(re.findall(r"\.PHONY: (.*)", text)[0].split())
