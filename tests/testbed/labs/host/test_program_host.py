"""A user's own program in the host lab: what it reports, how it ends, and the machine as it was before."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from testbed.labs.host import requirements

LACK = requirements.missing(requirements.lacks())

pytestmark = [
    pytest.mark.host,
    pytest.mark.mpi,
    pytest.mark.timeout(240),
    pytest.mark.skipif(LACK is not None, reason=str(LACK)),
    pytest.mark.usefixtures("as_before"),
]

COMMAND = Path(__file__).parents[1] / "run_command.py"
CHECKOUT = Path(__file__).parents[4]
NETWORK = ("--lab", "host", "--bandwidth", "50mbit", "--latency", "10ms")
MPICC = Path(sys.executable).with_name("mpicc")


def words(*options: str, program: tuple[str, ...], workers: int = 2) -> list[str]:
    return [sys.executable, str(COMMAND), *NETWORK, "--workers", str(workers), *options, "--", *program]


def run(*options: str, program: tuple[str, ...], workers: int = 2) -> subprocess.CompletedProcess[str]:
    started = words(*options, program=program, workers=workers)
    return subprocess.run(started, cwd=CHECKOUT, capture_output=True, text=True, timeout=200)


def python(script: str) -> tuple[str, ...]:
    return sys.executable, "-c", script


def test_an_mpi_programs_bytes_and_time_are_told_and_kept(tmp_path: Path) -> None:
    result = tmp_path / "result"
    done = run("--output", str(result), "--json", "--label", program=(sys.executable, "examples/ping_pong.py"))
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert (document["lab"], document["time_is"], document["note"]) == ("host", "wall time", "")
    assert [rank["exit_status"] for rank in document["ranks"]] == [0, 0]
    # 10 round trips of 10 ms, and 10 more in which 100,000 bytes at 50 Mbit/s add 2 x 16 ms
    assert 0.5 < document["time_s"] < 60
    payload = 10 * 100_000
    assert [payload <= size < 1.2 * payload for link in document["links"] for size in link["bytes"]] == [True] * 4
    assert document["probe"]["rtt_expected_s"] == pytest.approx(0.01, rel=0.02)
    assert json.loads((result / "run.json").read_text()) == document
    printed = (result / "rank-0.out").read_text()
    assert printed.count("there and back") == 2
    assert all(f"[0] {line}" in done.stderr for line in printed.splitlines())


@pytest.mark.skipif(not MPICC.exists(), reason="mpicc is not installed")
def test_a_compiled_program_runs(tmp_path: Path) -> None:
    subprocess.run([MPICC, "-o", tmp_path / "ring", CHECKOUT / "examples" / "ring.c"], check=True)
    done = run("--topology", "ring", program=(str(tmp_path / "ring"),), workers=3)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("3 ranks: ")
    assert "ring, 3 workers, 50 Mbit/s, 10 ms, lab host" in done.stderr


def test_torch_distributed_finds_its_ranks() -> None:
    done = run(program=(sys.executable, "examples/allreduce_gloo.py"))
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("2 ranks, 1,100,000 bytes: ")


def test_the_exit_status_is_the_programs_own() -> None:
    done = run(program=python("import os; os._exit(7 if os.environ['RANK'] == '1' else 0)"))
    assert done.returncode == 7
    assert "rank 1 ended with status 7" in done.stderr


def test_an_aborted_program_ends_with_the_status_that_it_gave() -> None:
    script = "from mpi4py import MPI; w = MPI.COMM_WORLD; w.Abort(5) if w.rank else w.Recv(bytearray(1), 1)"
    assert run(program=python(script)).returncode == 5


def test_a_variable_reaches_every_rank() -> None:
    done = run("--env", "OWN=a=b", program=python("import os; print(os.environ['OWN'], os.environ['WORLD_SIZE'])"))
    assert done.stdout == "a=b 2\n" * 2


def test_a_program_whose_time_is_up_is_ended() -> None:
    done = run("--timeout", "3", program=python("import time; time.sleep(600)"))
    assert done.returncode == 124
    assert "its time was up" in done.stderr


def test_a_result_that_is_there_already_is_refused_before_anything_starts(tmp_path: Path) -> None:
    (tmp_path / "own").touch()
    done = run("--output", str(tmp_path), program=python("print(1)"))
    assert (done.returncode, done.stdout) == (2, "")
    assert "is there already" in done.stderr
    assert {path.name for path in tmp_path.iterdir()} == {"own"}


def test_an_interrupted_program_is_ended_and_leaves_nothing(tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    script = f"import pathlib, time; pathlib.Path({str(begun)!r}).touch(); time.sleep(600)"
    with subprocess.Popen(words(program=python(script)), stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        while not begun.exists():
            assert process.poll() is None
            time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    assert process.returncode == 130
