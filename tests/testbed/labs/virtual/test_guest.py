from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace

import pytest

from testbed.clean import spool_of
from testbed.errors import UserError
from testbed.labs.virtual import guest, inside
from testbed.labs.virtual.guest import GuestFiles, command_line, memory_bytes, memory_folder

MIB = 1 << 20
FILES = GuestFiles(kernel=Path("/cache/linux"), native=Path("/cache/native"), spool=Path("/run/gradwire-12ab"))


def test_the_command_line_starts_a_kernel_in_virtual_time_on_this_file_system() -> None:
    words = command_line(FILES, lane=3, run_id="12ab", memory=2048 * MIB)
    assert words[0] == "/cache/linux"
    assert {"mem=2048M", "rootfstype=hostfs", "rootflags=/", "time-travel=inf-cpu", "panic=-1"} <= set(words)
    own = words[words.index("--") + 1 :]
    assert own[:2] == ["-m", "testbed.labs.virtual.inside"]
    assert own[2:5] == ["/run/gradwire-12ab", "3", "/cache/native"]


def test_a_killed_runs_guest_is_found_by_its_command_line() -> None:
    assert spool_of(command_line(FILES, lane=0, run_id="12ab", memory=MIB)) == FILES.spool


def test_guests_of_two_lanes_have_names_of_their_own() -> None:
    lines = [set(command_line(FILES, lane=lane, run_id="12ab", memory=MIB)) for lane in (0, 1)]
    assert {"umid=lane0"} <= lines[0] - lines[1]


@pytest.mark.parametrize(
    ("free_mib", "expected"),
    [
        ({"/dev/shm": 2000, "tmp": 9000}, "/dev/shm"),
        ({"/dev/shm": 64, "tmp": 9000}, "tmp"),  # a container's usual size
    ],
)
def test_memory_lies_in_memory_where_it_fits(
    free_mib: dict[str, int], expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _pretend_free(monkeypatch, tmp_path, free_mib)
    assert memory_folder(1000 * MIB) == (tmp_path if expected == "tmp" else Path(expected))


def test_memory_that_fits_nowhere_is_the_users_to_solve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _pretend_free(monkeypatch, tmp_path, {"/dev/shm": 64, "tmp": 999})
    with pytest.raises(UserError, match=r"1000 MiB .* neither in /dev/shm nor in .*; enlarge /dev/shm, set TMPDIR"):
        memory_folder(1000 * MIB)


def _pretend_free(monkeypatch: pytest.MonkeyPatch, temporary: Path, free_mib: dict[str, int]) -> None:
    by_folder = {Path("/dev/shm"): free_mib["/dev/shm"], temporary: free_mib["tmp"]}
    monkeypatch.setattr(tempfile, "gettempdir", lambda: str(temporary))
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=by_folder[folder] * MIB))


def test_more_workers_need_more_memory() -> None:
    assert memory_bytes(8) - memory_bytes(7) == guest.MEMORY_PER_WORKER_BYTES
    assert memory_bytes(8, computing=True) - memory_bytes(8) == 8 * guest.MEMORY_TO_COMPUTE_BYTES


def test_longer_vectors_need_more_memory() -> None:
    assert memory_bytes(8, 1000) - memory_bytes(8) == 8 * 1000 * guest.FLOAT_BYTES


@pytest.mark.parametrize(
    ("status", "said"), [(None, ""), (0, ""), (-9, "ended by SIGKILL"), (-7, "ended by SIGBUS; its memory file has no")]
)
def test_a_killed_guest_says_by_which_signal(status: int | None, said: str) -> None:
    assert guest.Guest._ending(status).startswith(said)
    assert bool(guest.Guest._ending(status)) == bool(said)


def test_guests_look_for_packages_where_this_process_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the fork server, too, which is started with the environment."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", ["", "/usr/lib"])
    monkeypatch.setenv("PYTHONPATH", f"relative:{tmp_path}/absolute:")
    guest.leave_python_path(tmp_path)
    monkeypatch.delenv("PYTHONPATH")
    inside._follow_python_path(tmp_path)
    assert sys.path == ["", f"{tmp_path}/relative", f"{tmp_path}/absolute", "/usr/lib"]
    assert os.environ["PYTHONPATH"] == f"{tmp_path}/relative:{tmp_path}/absolute"


def test_without_other_folders_guests_look_where_they_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYTHONPATH", raising=False)
    before = list(sys.path)
    guest.leave_python_path(tmp_path)
    inside._follow_python_path(tmp_path)
    assert sys.path == before and "PYTHONPATH" not in os.environ
