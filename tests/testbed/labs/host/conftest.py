"""What tests of the host lab compare: the machine before and after."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from containers import own_engine
from containers.engine import connect
from testbed import clean


@dataclass(frozen=True)
class Machine:
    """What a lab must leave as it was."""

    interfaces: str
    qdiscs: str
    rules: dict[str, str]  # by table
    shared_memory: frozenset[str]
    launchers_files: frozenset[str]  # of mpiexec's, which it leaves in /tmp when it is killed
    namespaces: frozenset[str]
    containers: frozenset[str]  # of the Docker engine that answers, if one does
    sessions: int


def machine() -> Machine:
    names = Path("/proc/net/ip_tables_names")  # asking for a table that is not there would make the kernel load it
    tables = names.read_text().split() if names.exists() else []
    return Machine(
        interfaces=_said("ip", "-brief", "link"),
        qdiscs=_said("tc", "qdisc", "show"),
        rules={table: _said("iptables-legacy-save", "-t", table) for table in tables},
        shared_memory=frozenset(path.name for path in Path("/dev/shm").iterdir()),
        launchers_files=frozenset(path.name for path in Path("/tmp").glob("hydra_*")),
        namespaces=frozenset(_namespaces()),
        containers=frozenset(_containers()),
        sessions=sum("testbed.labs.host.inside" in _words(process) for process in psutil.process_iter()),
    )


def _said(*words: str) -> str:
    """A program's output without comments and counters, which change by themselves."""
    lines = subprocess.run(words, capture_output=True, text=True, check=True).stdout.splitlines()
    return "\n".join(line.split(" [")[0] for line in lines if not line.startswith("#"))


def _namespaces() -> Iterator[str]:
    for process in psutil.pids():
        try:
            yield str(Path(f"/proc/{process}/ns/net").readlink())
        except OSError:
            continue  # it has ended


def _containers() -> list[str]:
    if not own_engine.answers():
        return []
    client = connect()
    try:
        return [container["Names"][0] for container in client.api.containers(all=True)]
    finally:
        client.close()


def _words(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()  # type: ignore[no-any-return]
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return []


@pytest.fixture
def words_of() -> Callable[[psutil.Process], list[str]]:
    """Tells a process's command line; empty for one that is gone."""
    return _words


@pytest.fixture
def as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder for the spools of one test; when it ends the machine must be as it was."""
    before = machine()
    with tempfile.TemporaryDirectory(prefix="gradwire-test-") as name:  # short: sockets lie in it
        monkeypatch.setenv("XDG_RUNTIME_DIR", name)
        yield Path(name)
        clean.reap()
        assert list(Path(name).glob("gradwire/*")) == []
    assert machine() == before
