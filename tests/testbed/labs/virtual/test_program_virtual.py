"""A user's own program in the virtual lab: its network time, and what becomes of one that spins."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

pytestmark = [pytest.mark.virtual, pytest.mark.mpi, pytest.mark.timeout(280), pytest.mark.usefixtures("built_kernel")]

COMMAND = Path(__file__).parents[1] / "run_command.py"
CHECKOUT = Path(__file__).parents[4]
NETWORK = ("--lab", "virtual", "--bandwidth", "100mbit", "--latency", "20ms", "--workers", "2")
Guests = Callable[[], list[psutil.Process]]


def words(*options: str, program: tuple[str, ...]) -> list[str]:
    return [sys.executable, str(COMMAND), *NETWORK, *options, "--", *program]


def run(*options: str, program: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words(*options, program=program), cwd=CHECKOUT, capture_output=True, text=True, timeout=270)


def python(script: str) -> tuple[str, ...]:
    return sys.executable, "-c", script


def test_an_mpi_programs_time_is_that_of_the_network_alone(guests: Guests) -> None:
    done = run("--json", program=(sys.executable, "examples/ping_pong.py"))
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["note"] == "network time only: compute takes no emulated time"
    assert document["probe"]["faithful"]
    # what 20 round trips and 2 MB take; starting Python takes seconds, and none of them emulated
    assert 0.56 < document["time_s"] < 2
    small = next(line for line in done.stderr.splitlines() if line.startswith("rank 1,       1 bytes"))
    assert float(small.split(":")[1].split()[0]) == pytest.approx(20.1, abs=0.2)
    assert guests() == []


def test_torch_distributed_takes_no_longer_than_its_messages(guests: Guests) -> None:
    done = run(program=(sys.executable, "examples/allreduce_gloo.py"))
    assert done.returncode == 0, done.stderr
    took_ms = float(done.stdout.split(": ")[1].split()[0])
    # each rank sends 1.1 MB, which takes 92 ms, half of it after having heard from the other
    assert 92 + 20 <= took_ms < 2 * (92 + 20)


def test_a_program_that_spins_is_found_and_named(guests: Guests) -> None:
    script = "from mpi4py import MPI\nw = MPI.COMM_WORLD\nwhile w.rank == 1: pass\nw.Barrier()"
    done = run("--patience", "5", program=python(script))
    assert done.returncode == 1
    assert "gradwire: rank 1 used the processor for 5 s while emulated time stood still" in done.stderr
    assert "use --lab host" in done.stderr
    assert guests() == []


def test_ranks_that_wait_for_each_other_end_when_their_emulated_time_is_up() -> None:
    done = run("--timeout", "30", program=python("from mpi4py import MPI; w = MPI.COMM_WORLD; w.Recv(bytearray(1), 1)"))
    assert done.returncode == 124
    assert "its time was up" in done.stderr


def test_an_interrupted_program_is_ended_and_leaves_nothing(guests: Guests, tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    script = f"import pathlib, time; pathlib.Path({str(begun)!r}).touch(); time.sleep(1e9)"
    with subprocess.Popen(words(program=python(script)), stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        while not begun.exists():
            assert process.poll() is None
            time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    assert process.returncode == 130
    assert guests() == []
