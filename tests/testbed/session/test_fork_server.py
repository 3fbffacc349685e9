from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

PROGRAM = Path(__file__).with_name("fork_server_program.py")
CHECKOUT = Path(__file__).parents[3]

Rank = subprocess.Popen[str]


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[subprocess.Popen[str]]:
    socket = folder / "fork-server"
    with subprocess.Popen(
        [sys.executable, PROGRAM, socket], cwd=CHECKOUT, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process
        assert process.poll() is None, "the fork server ended"
        process.kill()


@pytest.fixture
def start(server: subprocess.Popen[str], folder: Path, join_rank: Path) -> Callable[[str, str], Rank]:
    def start(do: str, word: str = "hello") -> Rank:
        return subprocess.Popen(
            [join_rank, folder / "fork-server"],
            env={"DO": do, "WORD": word},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return start


@pytest.mark.parametrize("status", [0, 1, 42])
def test_a_rank_ends_with_its_workers_status(start: Callable[[str], Rank], status: int) -> None:
    rank = start(str(status))
    rank.communicate(timeout=10)
    assert rank.returncode == status


def test_a_worker_has_the_ranks_environment_and_output(
    server: subprocess.Popen[str], start: Callable[[str, str], Rank]
) -> None:
    word = "w" * 100_000  # more than one read
    with start("0", word) as rank:
        output = rank.communicate(timeout=10)[0]
    pid, said = output.split()
    assert said == word
    assert int(pid) not in (server.pid, rank.pid)


def test_a_worker_that_raises_says_why_on_the_ranks_error_output(start: Callable[[str], Rank]) -> None:
    with start("raise") as rank:
        errors = rank.communicate(timeout=10)[1]
    assert "ValueError: worker says no" in errors
    assert rank.returncode == 1


def test_a_worker_that_is_killed_shows_as_a_shell_would_say(start: Callable[[str], Rank]) -> None:
    with start("kill") as rank:
        rank.communicate(timeout=10)
    assert rank.returncode == 128 + 9


def worker_of(rank: Rank) -> psutil.Process:
    """The worker that answers for a rank, once it is at work."""
    assert rank.stdout is not None
    return psutil.Process(int(rank.stdout.readline().split()[0]))


def test_a_killed_rank_takes_its_worker_along(server: subprocess.Popen[str], start: Callable[[str], Rank]) -> None:
    with start("sleep") as rank, start("sleep") as other:
        worker, others_worker = worker_of(rank), worker_of(other)
        rank.kill()
        psutil.wait_procs([worker], timeout=10)
        assert not worker.is_running()
        assert others_worker.is_running()
        other.kill()
        psutil.wait_procs([others_worker], timeout=10)
    assert psutil.Process(server.pid).children() == []


def test_ranks_killed_as_their_workers_end_leave_the_server_alive(
    server: subprocess.Popen[str], start: Callable[[str], Rank]
) -> None:
    ranks = [start("sleep") for _ in range(4)]
    workers = [worker_of(rank) for rank in ranks]
    server.send_signal(signal.SIGSTOP)  # it learns of both in one wake-up
    for ends in (*workers, *ranks):
        ends.kill()
    for rank in ranks:
        rank.communicate()
    server.send_signal(signal.SIGCONT)
    with start("7") as after:
        after.communicate(timeout=10)
    assert after.returncode == 7
    assert psutil.Process(server.pid).children() == []


@pytest.mark.parametrize(("rank", "status"), [("1", 5), ("2", 1), (None, 1)])
def test_a_rank_takes_its_own_of_several_servers(
    server: subprocess.Popen[str], folder: Path, join_rank: Path, rank: str | None, status: int
) -> None:
    environment = {"DO": "5", "WORD": "hello"} | ({} if rank is None else {"PMI_RANK": rank})
    done = subprocess.run(
        [join_rank, folder / "nobody", folder / "fork-server"], env=environment, capture_output=True, text=True
    )
    assert done.returncode == status
    assert ("and there are 2 sockets" in done.stderr) == (status == 1)


def test_a_missing_server_is_said(join_rank: Path, folder: Path) -> None:
    done = subprocess.run([join_rank, folder / "nobody"], env=dict(os.environ), capture_output=True, text=True)
    assert done.returncode == 1
    assert "nobody: No such file or directory" in done.stderr
