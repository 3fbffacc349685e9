"""The first process of a container, and the session's side of its connection; outside of any container."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from containers import connections
from containers.connections import Connections
from testbed.cache import CACHE_VARIABLE
from testbed.errors import LabError
from testbed.labs import native

Start = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(CACHE_VARIABLE, str(tmp_path_factory.mktemp("cache")))
        return native.ensure() / "container_init"


@pytest.fixture
def socket() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="gradwire-test-") as name:
        yield Path(name) / "session"


@pytest.fixture
def start(program: Path, socket: Path) -> Iterator[Start]:
    started = []

    def start(rank: int, *words: str) -> subprocess.Popen[bytes]:
        started.append(subprocess.Popen([program, socket, str(rank), *words]))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


def descriptors() -> int:
    """How many this process has open."""
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def accept(held: Connections) -> None:
    """Accept all, where namespaces do not matter."""
    for descriptor in held.accept():
        os.close(descriptor)


def test_it_reports_its_rank_and_its_network_namespace(socket: Path, start: Start) -> None:
    held = Connections(socket, 2)
    for rank in (1, 0):
        start(rank, "true")
    for descriptor in held.accept():
        assert Path(f"/proc/self/fd/{descriptor}").readlink() == Path("/proc/self/ns/net").readlink()
        os.close(descriptor)
    held.close()


def test_it_ends_when_the_session_does(socket: Path, start: Start) -> None:
    held = Connections(socket, 1)
    process = start(0, "true")
    accept(held)
    held.close()
    assert process.wait(10) == 0


def test_it_ends_when_the_engine_asks(socket: Path, start: Start) -> None:
    held = Connections(socket, 1)
    process = start(0, "true")
    accept(held)
    assert held.ended() == []
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 0
    assert held.ended() == [0]
    held.close()


def test_the_program_starts_when_it_is_asked_for_and_says_when_it_is_ready(socket: Path, start: Start) -> None:
    sign = socket.with_name("sign")
    held = Connections(socket, 1)
    process = start(0, "sh", "-c", f"touch {sign}; echo ready; sleep 60")
    accept(held)
    assert not sign.exists()
    held.start_programs()
    held.start_programs()  # once is enough
    assert sign.exists()
    assert held.ended() == []
    held.close()
    assert process.wait(10) == 0


def test_a_program_that_fails_is_quoted_and_ends_the_container(socket: Path, start: Start) -> None:
    held = Connections(socket, 1)
    process = start(0, "sh", "-c", "echo no module named torch >&2; exit 3")
    accept(held)
    with pytest.raises(LabError, match="program of worker 0 did not start in its container: no module named torch"):
        held.start_programs()
    assert process.wait(10) == 3
    held.close()


def test_a_program_that_is_not_there_is_named(socket: Path, start: Start) -> None:
    held = Connections(socket, 1)
    start(0, "no-such-program")
    accept(held)
    with pytest.raises(LabError, match="did not start in its container"):
        held.start_programs()
    held.close()


def test_orphans_of_the_program_are_taken_in(socket: Path, start: Start) -> None:
    held = Connections(socket, 1)
    process = start(0, "sh", "-c", "echo ready; sleep 60")
    accept(held)
    held.start_programs()
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    (child,) = children.read_text().split()
    os.kill(int(child), signal.SIGKILL)
    assert process.wait(10) == 128 + signal.SIGKILL
    held.close()


def test_a_container_that_does_not_report_is_named(socket: Path, start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "REPORT_WITHIN_S", 0.5)
    held = Connections(socket, 2)
    start(0, "true")
    before = descriptors()
    with pytest.raises(LabError, match="the container of worker 1 did not report"):
        held.accept()
    held.close()
    assert descriptors() <= before  # no namespace is held


def test_a_session_that_is_not_there_is_said(program: Path, socket: Path) -> None:
    done = subprocess.run([program, socket, "0", "true"], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "session: No such file or directory" in done.stderr


def test_mistakes_are_said(program: Path) -> None:
    assert subprocess.run([program], capture_output=True, check=False).returncode == 2
