from __future__ import annotations

import os
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest

from testbed.program.ranks import TIMED_OUT, RankEnd, Ranks, documents


def end(end_ns: int, exit_status: int = 0, signal: int = 0) -> RankEnd:
    return RankEnd(begin_ns=0, end_ns=end_ns, exit_status=exit_status, signal=signal)


def ranks(returncode: int = 0) -> Ranks:
    """Ranks whose launcher has ended so."""
    made = object.__new__(Ranks)
    made._mpiexec = SimpleNamespace(returncode=returncode)  # type: ignore[assignment]
    return made


def test_the_status_is_that_of_the_rank_that_failed_first() -> None:
    assert ranks(9).exit_status([end(3, 1), end(2, 7), None, end(1)], timed_out=False) == 7
    assert ranks(9).exit_status([end(3), end(2, signal=11)], timed_out=False) == 128 + 11


def test_ranks_that_all_ended_well_give_none() -> None:
    assert ranks().exit_status([end(3), end(2)], timed_out=False) == 0


def test_of_ranks_that_were_all_stopped_the_launcher_knows_why() -> None:
    assert ranks(5).exit_status([None, None], timed_out=False) == 5
    assert ranks(0).exit_status([None, end(1)], timed_out=False) == 1


def test_a_program_whose_time_was_up_has_a_status_of_its_own() -> None:
    assert ranks().exit_status([end(3, 1)], timed_out=True) == TIMED_OUT == 124


def test_documents_count_from_the_beginning() -> None:
    found = documents([end(2_000_000_000, 3), end(1, signal=9), None], begin_ns=0)
    assert found[0] == {"rank": 0, "exit_status": 3, "signal": None, "begin_s": 0.0, "end_s": 2.0}
    assert (found[1]["exit_status"], found[1]["signal"]) == (None, "SIGKILL")
    assert found[2] == {"rank": 2, "exit_status": None, "signal": None, "begin_s": None, "end_s": None}


def enter(helpers: Path, folder: Path, *words: str, hosts: str | None = None) -> subprocess.CompletedProcess[str]:
    """Start a rank 1 in a host that is this process's own network."""
    environment = {"PMI_RANK": "1", "GRADWIRE_HOSTS": hosts or f"1:no,{os.getpid()}:w1-eth0"}
    return subprocess.run(
        [helpers / "enter_host", folder, *words],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.skipif(os.geteuid() != 0, reason="only root enters namespaces")
@pytest.mark.parametrize(
    ("script", "status", "kept"), [("exit 0", 0, [0, 0]), ("exit 7", 7, [7, 0]), ("kill -9 $$", 137, [0, 9])]
)
def test_what_became_of_a_rank_is_kept(
    helpers: Path, tmp_path: Path, script: str, status: int, kept: list[int]
) -> None:
    done = enter(helpers, tmp_path, "sh", "-c", f"echo $RANK $GLOO_SOCKET_IFNAME; echo err >&2; {script}")
    assert (done.returncode, done.stdout) == (status, "")
    assert (tmp_path / "rank-1.out").read_text() == "1 w1-eth0\n"
    assert (tmp_path / "rank-1.err").read_text() == "err\n"
    begin_ns, end_ns, *ending = map(int, (tmp_path / "rank-1.status").read_text().split())
    assert begin_ns < end_ns
    assert ending == kept


@pytest.mark.skipif(os.geteuid() != 0, reason="only root enters namespaces")
def test_a_program_that_cannot_be_started_says_so(helpers: Path, tmp_path: Path) -> None:
    assert enter(helpers, tmp_path, "/no/such/program").returncode == 127
    said = (tmp_path / "rank-1.err").read_text()
    assert said == "gradwire: /no/such/program cannot be started: No such file or directory\n"


def test_a_rank_without_a_host_is_the_launchers_fault(helpers: Path, tmp_path: Path) -> None:
    done = enter(helpers, tmp_path, "true", hosts="1:only")
    assert done.returncode == 1
    assert "no host of rank 1" in done.stderr
