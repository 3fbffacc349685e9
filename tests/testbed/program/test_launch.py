from __future__ import annotations

from pathlib import Path

import pytest

from testbed.cell import Network
from testbed.program.launch import Launch, environment

NETWORK = Network(topology="star", workers=3, bandwidth_bit_per_s=1e8, latency_s=0.02, queue_bytes=2**24)


def test_a_launch_is_read_as_it_was_written(tmp_path: Path) -> None:
    launch = Launch(words=("a", "b c"), folder="/x", environment={"A": "é"}, network=NETWORK, timeout_s=2.5)
    launch.write(tmp_path)
    assert Launch.read(tmp_path) == launch


def test_torch_finds_the_other_ranks_by_its_usual_variables() -> None:
    found = environment(Path("/native"), 3, {}, in_guest=False)
    wanted = {"MASTER_ADDR": "10.0.0.1", "WORLD_SIZE": "3", "LOCAL_RANK": "0", "MPIR_CVAR_NOLOCAL": "1"}
    assert found.items() >= wanted.items()
    assert int(found["MASTER_PORT"]) > 1024


def test_what_is_given_has_the_last_word(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OWN", "kept")
    found = environment(Path("/native"), 3, {"OMP_NUM_THREADS": "4"}, in_guest=False)
    assert (found["OWN"], found["OMP_NUM_THREADS"]) == ("kept", "4")


def test_libraries_of_the_callers_own_are_preloaded_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LD_PRELOAD", "/own.so")
    found = environment(Path("/native"), 3, {}, in_guest=True)
    assert found["LD_PRELOAD"].split() == ["/native/blocking_progress.so", "/own.so"]
    assert "MALLOC_TRIM_THRESHOLD_" in found
