"""What setup/docker_engine.sh decides, with the programs that it finds replaced."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "setup/docker_engine.sh"
APT_GET = """#!/bin/bash
echo "apt-get $*" >>"$CALLS"
exit "${APT_STATUS:-0}"
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="gradwire-test-") as name:  # short: a socket lies in it
        programs = Path(name) / "bin"
        programs.mkdir()
        for program in ("bash", "mkdir", "tail"):
            (programs / program).symlink_to(str(shutil.which(program)))
        (programs / "apt-get").write_text(APT_GET)
        (programs / "apt-get").chmod(0o755)
        yield Path(name)


def run(folder: Path, **more: str) -> subprocess.CompletedProcess[str]:
    environment = {
        "PATH": str(folder / "bin"),
        "CALLS": str(folder / "calls"),
        "DOCKER_HOST": f"unix://{folder}/docker.sock",
    }
    return subprocess.run([SCRIPT], cwd=folder, env=environment | more, capture_output=True, text=True, check=False)


def test_an_engine_that_is_there_is_enough(folder: Path) -> None:
    with socket.socket(socket.AF_UNIX) as engine:
        engine.bind(str(folder / "docker.sock"))
        assert run(folder).returncode == 0
    (folder / "docker.sock").unlink()
    (folder / "bin/dockerd").symlink_to(str(shutil.which("true")))
    assert run(folder).returncode == 0
    assert not (folder / "calls").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root installs")
def test_a_missing_engine_is_installed(folder: Path) -> None:
    assert run(folder).returncode == 0
    assert "install -y --no-install-recommends docker.io iptables" in (folder / "calls").read_text()


def test_one_that_cannot_be_installed_is_said_with_the_command(folder: Path) -> None:
    done = run(folder, APT_STATUS="100")
    assert done.returncode == 2
    assert "apt-get install --no-install-recommends docker.io iptables" in done.stderr
