"""What setup/browser.sh decides, with the programs that it finds replaced."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "setup/browser.sh"
APT_GET = """#!/bin/bash
echo "apt-get $*" >>"$CALLS"
exit "${APT_STATUS:-0}"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    programs = tmp_path / "bin"
    programs.mkdir()
    for program in ("bash", "mkdir", "tail"):
        (programs / program).symlink_to(str(shutil.which(program)))
    (programs / "apt-get").write_text(APT_GET)
    (programs / "apt-get").chmod(0o755)
    return tmp_path


def run(folder: Path, **more: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": str(folder / "bin"), "CALLS": str(folder / "calls")}
    return subprocess.run([SCRIPT], cwd=folder, env=environment | more, capture_output=True, text=True, check=False)


def test_a_browser_that_is_there_is_enough(folder: Path) -> None:
    (folder / "bin/chromium").symlink_to(str(shutil.which("true")))
    assert run(folder).returncode == 0
    assert not (folder / "calls").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root installs")
def test_a_missing_browser_is_installed(folder: Path) -> None:
    assert run(folder).returncode == 0
    assert "install -y --no-install-recommends chromium" in (folder / "calls").read_text()


def test_one_that_cannot_be_installed_is_said_with_the_command(folder: Path) -> None:
    done = run(folder, APT_STATUS="100")
    assert done.returncode == 2
    assert "apt-get install --no-install-recommends chromium" in done.stderr


def test_elsewhere_than_on_debian_it_says_what_follows(folder: Path) -> None:
    (folder / "bin/apt-get").unlink()
    done = run(folder)
    assert done.returncode == 2 and "the browser tests are skipped" in done.stderr
