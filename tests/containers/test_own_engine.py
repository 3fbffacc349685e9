from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from containers import own_engine
from containers.engine import ADDRESS_VARIABLE

CHECKOUT = Path(__file__).parents[2]
SHOW = 'import os; from containers.engine import connect; connect().ping(); print(os.environ["DOCKER_HOST"])'


@pytest.fixture
def nobody(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """No engine answers; runtime files go to a folder of the test's."""
    with tempfile.TemporaryDirectory(prefix="gradwire-test-") as name:  # short: sockets lie in it
        monkeypatch.setenv("XDG_RUNTIME_DIR", name)
        monkeypatch.setenv(ADDRESS_VARIABLE, f"unix://{name}/nobody.sock")
        yield Path(name)
        assert list(Path(name).glob("gradwire/*")) == []


@pytest.fixture
def possible(nobody: Path) -> Path:
    if lack := own_engine.lack():
        pytest.skip(lack)
    return nobody


def engine_processes(folder: Path) -> list[psutil.Process]:
    return [
        one
        for one in psutil.process_iter(["cmdline"])
        if f"--data-root={folder}" in " ".join(one.info["cmdline"] or [])
    ]


def cgroups() -> set[Path]:
    return set(Path("/sys/fs/cgroup").glob(f"**/{own_engine.CGROUP_PREFIX}{os.getpid()}-*"))


@pytest.mark.docker
def test_a_command_has_an_engine_while_it_runs(possible: Path) -> None:
    words = [sys.executable, "-m", "containers.own_engine", sys.executable, "-c", SHOW]
    done = subprocess.run(words, cwd=CHECKOUT, capture_output=True, text=True, check=True)
    assert done.stdout.startswith(f"unix://{possible}/gradwire/")
    assert engine_processes(possible) == []
    assert subprocess.run([*words[:3], "sh", "-c", "exit 7"], cwd=CHECKOUT, check=False).returncode == 7


@pytest.mark.docker
def test_an_engine_leaves_nothing(possible: Path) -> None:
    engine = own_engine.OwnEngine()
    assert engine_processes(possible)
    engine.close()
    assert engine_processes(possible) == []
    assert cgroups() == set()


@pytest.mark.docker
def test_the_engine_of_a_killed_process_ends(possible: Path) -> None:
    from testbed import clean

    words = [sys.executable, "-m", "containers.own_engine", "sh", "-c", "echo up; sleep 60"]
    with subprocess.Popen(words, cwd=CHECKOUT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        family = psutil.Process(process.pid).children(recursive=True)
        command = [one for one in family if one.name() in ("sh", "sleep")]
        process.kill()
        process.wait()
        for one in command:  # it is its caller's, not the engine's
            one.kill()
    _, alive = psutil.wait_procs(family, timeout=10)
    assert not alive
    deadline_s = time.monotonic() + 5
    while engine_processes(possible) and time.monotonic() < deadline_s:
        time.sleep(0.05)
    assert engine_processes(possible) == []
    assert [word.split()[0] for word in clean.reap()] == ["spool"]


def test_the_engine_that_answers_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own_engine, "answers", lambda: True)
    monkeypatch.setattr(own_engine, "OwnEngine", lambda: pytest.fail("another engine was started"))
    with own_engine.some_engine():
        pass


def test_what_is_missing_for_one_is_said(
    nobody: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(own_engine, "PROGRAM", "no-such-dockerd")
    assert own_engine.main(["true"]) == 1
    assert "no-such-dockerd is not installed" in capfd.readouterr().err
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert "only root can start one" in str(own_engine.lack())
    assert own_engine.main([]) == 2


def test_only_groups_of_engines_that_are_gone_are_removed(tmp_path: Path) -> None:
    ended = subprocess.Popen(["true"])
    ended.wait()
    gone = [tmp_path / "memory" / f"gradwire-{ended.pid}-a", tmp_path / f"gradwire-{ended.pid}-a"]
    stay = [tmp_path / "memory" / f"gradwire-{os.getpid()}-b", tmp_path / "memory/gradwire-x-c", tmp_path / "docker"]
    for folder in (*gone, *stay):
        (folder / "container").mkdir(parents=True)
    own_engine.remove_abandoned_cgroups(tmp_path)
    assert not any(folder.exists() for folder in gone)
    assert all(folder.exists() for folder in stay)
