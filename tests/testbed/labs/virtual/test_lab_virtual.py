"""The virtual lab as the testbed sees it: cells in, events out, nothing left behind. Every test boots guests."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import psutil
import pytest

from testbed import clean
from testbed.cache import CACHE_VARIABLE
from testbed.cell import Cell, Network, Steps
from testbed.labs import lane, native
from testbed.labs.lab import CellFailed, CellFinished, CellProgress, CellStarted, Event
from testbed.labs.virtual.lab import VirtualLab
from testbed.results import documents
from testbed.session.capture import PROGRAM as PROGRAM_OF_CAPTURES

pytestmark = [pytest.mark.virtual, pytest.mark.timeout(180), pytest.mark.usefixtures("built_kernel")]

PROGRAM = Path(__file__).parents[1] / "lab_program.py"
CHECKOUT = Path(__file__).parents[4]
NOBODY = 65534
LONG = Steps(measured=5000)  # takes minutes: something happens to it before

Guests = Callable[[], list[psutil.Process]]
Check = Callable[..., None]


def cell(topology: str = "star", workers: int = 2, **more: Any) -> Cell:
    network = Network(
        topology=topology,
        workers=workers,
        arity=2 if topology == "tree" else None,
        bandwidth_bit_per_s=more.pop("bandwidth_bit_per_s", 100e6),
        latency_s=1e-3,
        queue_bytes=2**20,
        slow_start_after_idle=more.pop("slow_start_after_idle", False),
    )
    values: dict[str, Any] = {
        "lab": "virtual",
        "network": network,
        "algorithm": "allreduce",
        "codec": "fp32",
        "graph": "ring",
        "workload": "vector-20000",
        "batch_size": 1,
        "device": "instant",
        "gradients": "none",
    }
    return Cell(**values | more)


class Outcome:
    """What became of cells, by their ids."""

    def __init__(self, captures: Path | None = None) -> None:
        """`captures`: a folder in which those of cells are kept, by their ids."""
        self.events: list[Event] = []
        self.started = threading.Event()
        self.captures = captures

    def __call__(self, event: Event) -> None:
        self.events.append(event)
        if isinstance(event, CellProgress):
            self.started.set()
        if isinstance(event, CellFinished) and event.captures is not None and self.captures is not None:
            shutil.copytree(event.captures, self.captures / event.cell_id)

    @property
    def traces(self) -> dict[str, dict[str, Any]]:
        return {event.cell_id: event.trace for event in self.events if isinstance(event, CellFinished)}

    @property
    def finished(self) -> dict[str, dict[str, Any]]:
        return {event.cell_id: event.measurement for event in self.events if isinstance(event, CellFinished)}

    @property
    def failed(self) -> dict[str, str]:
        return {event.cell_id: event.reason for event in self.events if isinstance(event, CellFailed)}


def run(cells: Sequence[Cell], outcome: Callable[[Event], None], stop: threading.Event | None = None) -> None:
    VirtualLab().run(cells, outcome, stop or threading.Event(), jobs=1)


MEASURED = (
    cell("star", 3),
    cell("ring", 4, algorithm="d-psgd", graph="complete", slow_start_after_idle=True),
    cell("tree", 4, codec="qsgd"),
)
IMPOSSIBLE = cell("star", 3, algorithm="no-such")  # on the network of the first, before it


@pytest.fixture(scope="module")
def outcome(built_kernel: Path) -> Outcome:
    """Of one guest that measures on three topologies."""
    outcome = Outcome()
    run((IMPOSSIBLE, *MEASURED), outcome)
    return outcome


@pytest.mark.parametrize("measured", MEASURED, ids=lambda measured: measured.network.topology)
def test_a_finished_cell_has_a_whole_document(outcome: Outcome, measured: Cell) -> None:
    assert measured.id in outcome.finished, outcome.failed
    document = documents.finished(measured, outcome.finished[measured.id])
    assert [len(repetition["step_s"]) for repetition in document["repetitions"]] == [10, 10, 10]
    assert document["probe"]["faithful"], document["probe"]
    assert document["probe"]["tcp"]["net.ipv4.tcp_slow_start_after_idle"] == (
        "1" if measured.network.slow_start_after_idle else "0"
    )
    assert document["warmup"]["steps"] >= 3
    # On the ring everybody talks to everybody: such steps need not settle (docs/virtual-lab.md, "Known limits").
    assert document["warmup"]["settled"] or measured.network.topology == "ring"
    # Computing takes no virtual time, so that no work takes longer than a profile says.
    assert document["overrun"] == {"calls_per_step": 0, "s_per_step": 0, "share": 0}
    assert document["devices"] == ["cpu"] * measured.network.workers
    assert document["lane"] == 0
    assert 0 < document["wall_s"] < 100


@pytest.mark.parametrize("measured", MEASURED, ids=lambda measured: measured.network.topology)
def test_every_byte_is_declared_handed_over_and_explained(outcome: Outcome, measured: Cell) -> None:
    found = outcome.finished[measured.id]["bytes"]
    assert found["declared_per_step"] == found["handed_per_step"] > 0
    assert found["socket_per_step"] == pytest.approx(
        found["handed_per_step"] + found["mpi_header_per_step"], rel=1e-3, abs=0
    )
    on_interfaces = found["interface"]
    assert abs(on_interfaces["unexplained"]) < 1e-3 * on_interfaces["total"], on_interfaces
    assert (on_interfaces["transit"] > 0) == (measured.network.topology == "ring")  # opposite workers of four


@pytest.mark.parametrize("measured", MEASURED, ids=lambda measured: measured.network.topology)
def test_a_trace_adds_up_to_the_parts_of_the_last_steps(outcome: Outcome, measured: Cell, check_trace: Check) -> None:
    check_trace(outcome.finished[measured.id], outcome.traces[measured.id])


CAPTURED = tuple(dataclasses.replace(one, capture=True) for one in MEASURED)


@pytest.fixture(scope="module")
def captured(built_kernel: Path, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """The same cells with a capture of every link."""
    if shutil.which(PROGRAM_OF_CAPTURES) is None:
        pytest.skip("the program tcpdump is not installed")
    outcome = Outcome(tmp_path_factory.mktemp("captures"))
    run(CAPTURED, outcome)
    return outcome


@pytest.mark.parametrize("measured", CAPTURED, ids=lambda measured: measured.network.topology)
def test_a_capture_has_every_byte_of_the_account(captured: Outcome, measured: Cell, check_captures: Check) -> None:
    assert measured.id in captured.finished, captured.failed
    assert captured.captures is not None
    check_captures(captured.finished[measured.id], captured.captures / measured.id)


def test_capturing_takes_no_emulated_time(captured: Outcome, outcome: Outcome) -> None:
    """But for what a clock is read more often: within the spread of two runs."""
    of_both = ((captured, CAPTURED[0]), (outcome, MEASURED[0]))
    first, second = (of.finished[measured.id]["repetitions"] for of, measured in of_both)
    for one, other in zip(first, second, strict=True):
        assert sum(one["step_s"]) == pytest.approx(sum(other["step_s"]), rel=0.005)


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small file system needs root")
def test_a_disk_full_of_captures_costs_their_cell_alone(built_kernel: Path, runtime: Path) -> None:
    if shutil.which(PROGRAM_OF_CAPTURES) is None:
        pytest.skip("the program tcpdump is not installed")
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", runtime], capture_output=True).returncode:
        pytest.skip("this machine mounts no tmpfs")
    try:
        too_large, other = cell("star", 3, capture=True), cell("star", 3)
        outcome = Outcome()
        run((too_large, other), outcome)
        assert list(outcome.failed) == [too_large.id]
        assert "the disk is full: the packet captures in" in outcome.failed[too_large.id]
        assert list(outcome.finished) == [other.id]
        assert sum(isinstance(event, CellStarted) for event in outcome.events) == 2  # by one guest
    finally:
        subprocess.run(["umount", runtime], check=True)


def test_a_worker_that_raises_fails_its_cell_alone(outcome: Outcome) -> None:
    assert list(outcome.failed) == [IMPOSSIBLE.id]
    assert "ValueError: algorithm is 'no-such'" in outcome.failed[IMPOSSIBLE.id]
    assert len(outcome.finished) == len(MEASURED)


def test_two_runs_of_a_cell_take_the_same_emulated_time(outcome: Outcome, runtime: Path) -> None:
    again = Outcome()
    run(MEASURED[:1], again)
    first, second = (of.finished[MEASURED[0].id]["repetitions"] for of in (outcome, again))
    for one, other in zip(first, second, strict=True):
        assert sum(one["step_s"]) == pytest.approx(sum(other["step_s"]), rel=0.005)


def test_a_killed_guest_costs_the_cell_under_way_and_is_replaced(runtime: Path, guests: Guests) -> None:
    doomed, *others = (cell(steps=LONG), cell(algorithm="d-psgd"), cell(bandwidth_bit_per_s=50e6))
    outcome = Outcome()

    def report(event: Event) -> None:
        outcome(event)
        if isinstance(event, CellProgress) and event.cell_id == doomed.id:
            for guest in guests():
                guest.send_signal(signal.SIGKILL)

    run((doomed, *others), report)
    assert list(outcome.failed) == [doomed.id]
    assert "the guest died" in outcome.failed[doomed.id]
    assert set(outcome.finished) == {other.id for other in others}


@pytest.fixture
def spinning_worker(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Two emulated seconds after its first launch, a worker's host begins to compute and never sleeps."""
    real = native.ensure()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name, "native")
        shutil.copytree(real, folder)
        once = Path(name, "once")
        once.touch()
        spin = f"if rm {once} 2>/dev/null; then (sleep 2; while :; do :; done) & fi"
        (folder / "join_rank").write_text(f'#!/bin/sh\n{spin}\nexec {real}/join_rank "$@"\n')
        monkeypatch.setattr(native, "ensure", lambda: folder)
        yield


def test_a_process_that_spins_is_noticed(runtime: Path, spinning_worker: None, monkeypatch: pytest.MonkeyPatch) -> None:
    hung, other = cell(steps=LONG), cell(algorithm="d-psgd")
    outcome = Outcome()
    patience_s = lane.SILENCE_S

    def report(event: Event) -> None:
        outcome(event)
        if getattr(event, "cell_id", None) == hung.id:  # booting the next guest may take its time
            monkeypatch.setattr(lane, "SILENCE_S", patience_s if isinstance(event, CellFailed) else 15.0)

    run((hung, other), report)
    assert list(outcome.failed) == [hung.id]
    assert "made no progress for 15 s" in outcome.failed[hung.id]
    assert list(outcome.finished) == [other.id]


def test_a_run_that_is_stopped_returns_soon_and_leaves_nothing(runtime: Path, guests: Guests) -> None:
    outcome, stop = Outcome(), threading.Event()
    thread = threading.Thread(target=run, args=([cell(steps=LONG)], outcome, stop))
    thread.start()
    assert outcome.started.wait(60)
    assert guests()
    stop.set()
    began_s = time.monotonic()
    thread.join()
    assert time.monotonic() - began_s < 5
    assert guests() == []
    assert list(runtime.glob("gradwire/*")) == []
    assert not outcome.finished and not outcome.failed


def lab_process(cells: Sequence[Cell], folder: Path, *prefix: str, **environment: str) -> subprocess.Popen[str]:
    file = folder / "cells.json"
    file.write_text(json.dumps([one.to_json() for one in cells]))
    file.chmod(0o644)
    return subprocess.Popen(
        [*prefix, sys.executable, PROGRAM, file],
        env={**os.environ, **environment},
        cwd=CHECKOUT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_guests_end_with_a_killed_lab_and_the_next_run_clears_up(runtime: Path, guests: Guests, tmp_path: Path) -> None:
    with lab_process([cell(steps=LONG)], tmp_path) as process:
        assert process.stdout is not None
        assert any(line.startswith(CellStarted.__name__) for line in process.stdout)
        family = {*guests(), *(child for guest in guests() for child in guest.children(recursive=True))}
        assert family
        process.kill()
        _, alive = psutil.wait_procs(family, timeout=10)
        assert not alive
    (spool,) = runtime.glob("gradwire/gradwire-*")
    assert clean.reap() == [f"spool folder {spool}"]


@pytest.fixture
def nobodys_folder(built_kernel: Path) -> Iterator[Path]:
    """A folder of an ordinary user's, with a cache of what set-up makes."""
    if os.getuid() != 0:
        pytest.skip("not root: all the other tests have shown that no root is needed")
    with tempfile.TemporaryDirectory(prefix="gradwire-test-") as name:
        folder = Path(name)
        for entry in (built_kernel.parent, native.ensure()):
            shutil.copytree(entry, folder / "cache" / entry.parent.name / entry.name)
        for path in (folder, *folder.rglob("*")):
            os.chown(path, NOBODY, NOBODY)
        yield folder


ORDINARY_USER = ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--no-new-privs", "--")
# Where the checkout or Python lies in a home that is closed to others: in a mount namespace of the test's own, the home
# holds nothing but them, and is open.
OPEN_HOME = """
    home=$1 kept=$(mktemp -d) count=$2; shift 2
    mount --bind "$home" "$kept"
    mount -t tmpfs -o mode=755 tmpfs "$home"
    while [ "$count" -gt 0 ]; do
        mkdir -p "$1"; mount --bind "$kept/${1#"$home"/}" "$1"; shift; count=$((count - 1))
    done
    umount "$kept"; rmdir "$kept"; exec "$@"
"""


def as_ordinary_user() -> tuple[str, ...]:
    """Words that start a program as an ordinary user who can read the checkout and Python."""
    needed = {str(CHECKOUT), sys.prefix, sys.base_prefix}
    closed = {str(Path(*Path(path).parts[:2])) for path in needed if not _is_open(Path(path))}
    if not closed:
        return ORDINARY_USER
    (home,) = closed
    inside = sorted(path for path in needed if path.startswith(f"{home}/"))
    unshare = ("unshare", "--mount", "--propagation", "private", "sh", "-euc", OPEN_HOME, "sh")
    return (*unshare, home, str(len(inside)), *inside, *ORDINARY_USER)


def _is_open(path: Path) -> bool:
    return all(folder.stat().st_mode & 0o001 for folder in (path, *path.parents))


def test_after_set_up_no_root_is_needed(nobodys_folder: Path, tmp_path: Path) -> None:
    become = as_ordinary_user()
    folder = str(nobodys_folder)
    environment = {"HOME": folder, CACHE_VARIABLE: f"{folder}/cache", "TMPDIR": folder, "XDG_RUNTIME_DIR": folder}
    everything = cell(capture=shutil.which(PROGRAM_OF_CAPTURES) is not None)
    with lab_process([everything], nobodys_folder, *become, **environment) as process:
        said = process.communicate(timeout=120)[0].splitlines()
    assert process.returncode == 0, "\n".join(said)
    assert CellFinished.__name__ in [line.strip() for line in said], "\n".join(said)
    assert not list(nobodys_folder.glob("gradwire/*"))
