"""The host lab as the testbed sees it: cells in, events out, the machine as it was before."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from testbed import clean
from testbed.cell import Cell, Network, Steps
from testbed.labs.host import requirements
from testbed.labs.host.lab import HostLab
from testbed.labs.lab import CellFailed, CellFinished, CellProgress, Event
from testbed.results import documents
from testbed.session.capture import PROGRAM as PROGRAM_OF_CAPTURES

LACK = requirements.missing()

pytestmark = [
    pytest.mark.host,
    pytest.mark.timeout(180),
    pytest.mark.skipif(LACK is not None, reason=str(LACK)),
]

PROGRAM = Path(__file__).parents[1] / "lab_program.py"
CHECKOUT = Path(__file__).parents[4]
LONG = Steps(measured=5000)


def cell(topology: str = "star", workers: int = 2, **more: Any) -> Cell:
    values: dict[str, Any] = {
        "lab": "host",
        "network": Network(
            topology=topology,
            workers=workers,
            arity=2 if topology == "tree" else None,
            bandwidth_bit_per_s=20e6,
            latency_s=10e-3,
            queue_bytes=2**20,
        ),
        "algorithm": "allreduce",
        "codec": "fp32",
        "graph": "ring",
        "workload": "vector-20000",
        "batch_size": 1,
        "device": "instant",
        "gradients": "none",
        "steps": Steps(repetitions=1),
    }
    return Cell(**values | more)


@dataclass(frozen=True)
class Machine:
    """What a lab must leave as it was."""

    interfaces: str
    qdiscs: str
    rules: dict[str, str]  # by table
    shared_memory: frozenset[str]
    namespaces: frozenset[str]
    sessions: int


def machine() -> Machine:
    names = Path("/proc/net/ip_tables_names")  # asking for a table that is not there would make the kernel load it
    tables = names.read_text().split() if names.exists() else []
    return Machine(
        interfaces=_said("ip", "-brief", "link"),
        qdiscs=_said("tc", "qdisc", "show"),
        rules={table: _said("iptables-legacy-save", "-t", table) for table in tables},
        shared_memory=frozenset(path.name for path in Path("/dev/shm").iterdir()),
        namespaces=frozenset(_namespaces()),
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


def _words(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()  # type: ignore[no-any-return]
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return []


@pytest.fixture(autouse=True)
def as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder for the spools of one test; when it ends the machine must be as it was."""
    before = machine()
    with tempfile.TemporaryDirectory(prefix="gradwire-test-") as name:  # short: sockets lie in it
        monkeypatch.setenv("XDG_RUNTIME_DIR", name)
        yield Path(name)
        clean.reap()
        assert list(Path(name).glob("gradwire/*")) == []
    assert machine() == before


def run(*cells: Cell, stop: threading.Event | None = None, report: Any = None) -> list[Event]:
    events: list[Event] = []
    lab = HostLab()
    lab.prepare(cells, lambda text: None)
    lab.run(cells, report or events.append, stop or threading.Event(), jobs=1)
    return events


@pytest.mark.parametrize(("topology", "workers"), [("star", 3), ("ring", 4), ("tree", 4)])
def test_a_finished_cell_has_a_whole_document(topology: str, workers: int, check_trace: Callable[..., None]) -> None:
    measured = cell(topology, workers)
    (event,) = [event for event in run(measured) if isinstance(event, CellFinished | CellFailed)]
    assert isinstance(event, CellFinished), event
    document = documents.finished(measured, event.measurement)
    assert len(document["repetitions"][0]["step_s"]) == 10
    found = document["bytes"]
    assert found["declared_per_step"] == found["handed_per_step"] > 0
    assert found["socket_per_step"] == pytest.approx(
        found["handed_per_step"] + found["mpi_header_per_step"], rel=1e-3, abs=0
    )
    assert abs(found["interface"]["unexplained"]) < 1e-3 * found["interface"]["total"]
    check_trace(document, event.trace)
    assert document["delays"]["packets"] > 0
    assert document["delays"]["overrun"] == 0
    # No step is faster than two one-way delays and its bytes allow; how much slower is the machine's affair.
    assert min(document["repetitions"][0]["step_s"]) > 10e-3


@pytest.mark.skipif(shutil.which(PROGRAM_OF_CAPTURES) is None, reason="the program tcpdump is not installed")
@pytest.mark.parametrize(("topology", "workers"), [("star", 2), ("ring", 3), ("tree", 3)])
def test_a_capture_has_every_byte_of_the_account(
    topology: str, workers: int, tmp_path: Path, check_captures: Callable[..., None]
) -> None:
    kept: list[Event] = []

    def report(event: Event) -> None:
        kept.append(event)
        if isinstance(event, CellFinished):
            assert event.captures is not None
            shutil.copytree(event.captures, tmp_path / "captures")

    run(cell(topology, workers, capture=True), report=report)
    (finished,) = [event for event in kept if isinstance(event, CellFinished)]
    check_captures(finished.measurement, tmp_path / "captures")


def test_a_worker_that_raises_fails_its_cell_alone() -> None:
    impossible, possible = cell(algorithm="no-such"), cell()
    events = run(impossible, possible)
    assert [event.cell_id for event in events if isinstance(event, CellFailed)] == [impossible.id]
    assert [event.cell_id for event in events if isinstance(event, CellFinished)] == [possible.id]


def test_a_run_that_is_stopped_leaves_the_machine_as_it_was() -> None:
    stop = threading.Event()
    began_s: list[float] = []

    def report(event: Event) -> None:
        if isinstance(event, CellProgress) and not began_s:
            began_s.append(time.monotonic())
            stop.set()

    run(cell(steps=LONG), stop=stop, report=report)
    assert time.monotonic() - began_s[0] < 10


def test_a_killed_testbed_leaves_the_machine_as_it_was(tmp_path: Path) -> None:
    file = tmp_path / "cells.json"
    file.write_text(json.dumps([cell(steps=LONG).to_json()]))
    with subprocess.Popen(
        [sys.executable, PROGRAM, file], cwd=CHECKOUT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        assert any(line.startswith(CellProgress.__name__) for line in process.stdout)
        family = psutil.Process(process.pid).children(recursive=True)
        assert any("delay_line" in _words(child)[0] for child in family if _words(child))
        process.kill()
        _, alive = psutil.wait_procs(family, timeout=10)
        assert not alive


def test_two_runs_at_a_time_do_not_meet() -> None:
    outcomes: list[list[Event]] = []
    threads = [
        threading.Thread(target=lambda one=one: outcomes.append(run(one))) for one in (cell(), cell(algorithm="d-psgd"))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [sum(isinstance(event, CellFinished) for event in events) for events in outcomes] == [1, 1]
