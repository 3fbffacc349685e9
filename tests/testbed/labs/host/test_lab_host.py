"""The host lab as the testbed sees it: cells in, events out, the machine as it was before."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from testbed.cell import Cell, Network, Steps
from testbed.errors import UserError
from testbed.labs.host import requirements
from testbed.labs.host.lab import HostLab
from testbed.labs.lab import CellFailed, CellFinished, CellProgress, Event
from testbed.results import documents, table
from testbed.session.capture import PROGRAM as PROGRAM_OF_CAPTURES
from testbed.workers.devices import gpus

LACK = requirements.missing(requirements.lacks())

pytestmark = [
    pytest.mark.host,
    pytest.mark.timeout(180),
    pytest.mark.skipif(LACK is not None, reason=str(LACK)),
    pytest.mark.usefixtures("as_before"),
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
    if document["delays"]:  # the kernel's own netem counts nothing
        assert document["delays"]["packets"] > 0
        assert document["delays"]["overrun"] == 0
    # No step is faster than two one-way delays and its bytes allow; how much slower is the machine's affair.
    assert min(document["repetitions"][0]["step_s"]) > 10e-3


@pytest.mark.parametrize(
    ("device", "described"),
    [
        ("cpu", "cpu"),
        pytest.param("cuda", "cuda:0 (", marks=pytest.mark.skipif(not gpus(), reason="torch sees no GPU here")),
    ],
)
def test_on_its_own_device_a_worker_takes_what_it_takes(device: str, described: str) -> None:
    measured = cell(device=device, workload="vector-1000000", codec="qsgd")
    (event,) = [event for event in run(measured) if isinstance(event, CellFinished | CellFailed)]
    assert isinstance(event, CellFinished), event
    document = documents.finished(measured, event.measurement)
    assert document["profile"]["kind"] == "real"
    assert len(document["devices"]) == 2
    assert all(each.startswith(described) for each in document["devices"])
    assert document["overrun"] == {"calls_per_step": 0, "s_per_step": 0, "share": 0}
    for part in ("encode_s", "decode_s", "apply_s"):  # without gradients nothing is computed
        least_s = 50e-6 if device == "cpu" else 5e-6  # a million values take longer to touch
        assert min(document["repetitions"][0][part]) > least_s, part


def test_a_device_that_this_machine_is_too_slow_for_is_marked() -> None:
    measured = cell(device="instant", workload="vector-1000000", codec="qsgd")
    (event,) = [event for event in run(measured) if isinstance(event, CellFinished | CellFailed)]
    assert isinstance(event, CellFinished), event
    document = documents.finished(measured, event.measurement)
    assert document["overrun"]["calls_per_step"] > 1
    assert 0 < document["overrun"]["share"] < 1
    assert table.row(measured, document)["status"] in ("overrun", "saturated")


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


def test_a_killed_testbed_leaves_the_machine_as_it_was(
    tmp_path: Path, words_of: Callable[[psutil.Process], list[str]]
) -> None:
    file = tmp_path / "cells.json"
    file.write_text(json.dumps([cell(steps=LONG).to_json()]))
    with subprocess.Popen(
        [sys.executable, PROGRAM, file], cwd=CHECKOUT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        assert any(line.startswith(CellProgress.__name__) for line in process.stdout)
        family = psutil.Process(process.pid).children(recursive=True)
        assert any("delay_line" in words_of(child)[0] for child in family if words_of(child))
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


def _nodes_of(network_of: psutil.Process) -> list[psutil.Process]:
    """The shells of a session's Mininet hosts, w0 first."""
    shells = [one for one in network_of.children(recursive=True) if any("mininet:" in word for word in one.cmdline())]
    return sorted(shells, key=lambda shell: shell.cmdline()[-1])


def test_an_interface_that_somebody_removes_fails_its_cell_and_the_next_one_is_measured() -> None:
    lost, next_one = cell(steps=LONG), cell()
    events: list[Event] = []

    def report(event: Event) -> None:
        if isinstance(event, CellProgress) and not any(isinstance(earlier, CellProgress) for earlier in events):
            shell = next(one for one in _nodes_of(psutil.Process()) if one.cmdline()[-1] == "mininet:gw0-w0")
            words = ["nsenter", "-t", str(shell.pid), "-n", "ip", "link", "delete", "gw0-w0-eth0"]
            subprocess.run(words, check=True, capture_output=True)
        events.append(event)

    run(lost, next_one, report=report)
    (failure,) = [event for event in events if isinstance(event, CellFailed)]
    assert failure.cell_id == lost.id
    assert "interface gw0-w0-eth0 is gone; somebody removed it" in failure.reason
    assert [event.cell_id for event in events if isinstance(event, CellFinished)] == [next_one.id]


def test_interfaces_of_our_names_that_are_somebody_elses_are_in_nobodys_way() -> None:
    pair = ["gw0-w0-eth0", "gw0-s0-eth1"]
    subprocess.run(["ip", "link", "add", pair[0], "type", "veth", "peer", "name", pair[1]], check=True)
    try:
        before = _links()
        assert any(isinstance(event, CellFinished) for event in run(cell()))
        assert _links() == before
        assert set(pair) <= set(before)
    finally:
        subprocess.run(["ip", "link", "delete", pair[0]], check=True)


def _links() -> list[str]:
    return sorted(path.name for path in Path("/sys/class/net").iterdir())


def test_without_iptables_nothing_is_started(tmp_path: Path) -> None:
    if requirements.backend(requirements.lacks()) is not requirements.Role.NFQUEUE:
        pytest.skip("delays are made by netem here")
    for program in ("unshare", "setpriv", "mount", "ip", "tc", "sh", "true", "chrt", "bash", "env"):
        if (found := shutil.which(program)) is not None:
            (tmp_path / program).symlink_to(found)
    with (
        pytest.MonkeyPatch.context() as patch,
        pytest.raises(UserError, match=r"not on PATH: iptables-legacy-restore.*use lab virtual"),
    ):
        patch.setenv("PATH", str(tmp_path))
        HostLab().prepare([cell()], lambda text: None)
