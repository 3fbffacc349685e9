from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from testbed.cell import Network
from testbed.errors import UserError
from testbed.program import request

LINK = {"bandwidth": "100mbit", "latency": "20ms"}


def test_options_are_read_as_a_sweep_files_keys() -> None:
    options = {**LINK, "topology": "tree", "arity": 2, "workers": 4, "trunk": "1 Gbit/s", "loss": "1 %", "jitter": "0"}
    assert request.read_network(options) == Network(
        topology="tree", workers=4, arity=2, bandwidth_bit_per_s=1e8, trunk_bit_per_s=1e9, latency_s=0.02, loss=0.01,
        queue_bytes=16 * 2**20,
    )  # fmt: skip


def test_what_is_not_given_has_a_sweep_files_default() -> None:
    network = request.read_network(LINK)
    assert (network.topology, network.workers, network.slow_start_after_idle) == ("star", 8, False)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"bandwidth": "100"}, "run: bandwidth '100' is not a number with a unit"),
        ({"bandwidth": None}, "--bandwidth is missing: give one, such as --bandwidth 100mbit"),
        ({"latency": None}, "--latency is missing"),
        ({"latency": "0"}, "run: latency 0 is not above zero"),
        ({"topology": "rong"}, "run: topology 'rong' is unknown; choose one of ring, star, tree"),
        ({"topology": "ring", "workers": 2}, "run: topology ring needs at least 3 workers, got 2"),
        ({"trunk": "1gbit"}, "run: trunk is given, but only a tree"),
        ({"arity": 2}, "run: arity 2 is for trees"),
        ({"jitter": "10ms"}, "run: jitter 10 ms is above an eighth of the latency 20 ms"),
        ({"queue": "1 ms", "bandwidth": "5mbit"}, "run: queue is 625 bytes at 5 Mbit/s"),
    ],
)
def test_a_network_that_cannot_be_is_refused_in_one_sentence(options: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError) as refused:
        request.read_network({**LINK, **options})
    assert str(refused.value).startswith(words)


def test_variables_may_hold_an_equals_sign() -> None:
    assert request.read_environment(["A=b=c", "EMPTY="]) == {"A": "b=c", "EMPTY": ""}


@pytest.mark.parametrize("assignment", ["A", "=b", "PMI_RANK=3", "GRADWIRE_HOSTS=x"])
def test_other_variables_are_refused(assignment: str) -> None:
    with pytest.raises(UserError, match=f"--env {assignment}: "):
        request.read_environment([assignment])


def test_memory_is_a_size() -> None:
    assert request.read_memory("2 GiB") == 2**31
    assert request.read_memory(None) is None
    with pytest.raises(UserError, match="--memory '2' is not a number with a unit"):
        request.read_memory("2")


def test_a_program_must_be_there(tmp_path: Path) -> None:
    own = tmp_path / "own"
    own.write_text("#!/bin/sh\n")
    with pytest.raises(UserError, match="program own is not there, or may not be run"):
        request.require_program(["own"], str(tmp_path))
    own.chmod(0o755)
    request.require_program(["own"], str(tmp_path))


@pytest.mark.parametrize(
    ("words", "folder"), [(["/dev/shm/own"], "/home"), (["own"], "/dev/shm"), (["x", "/sys/y"], "/")]
)
def test_folders_that_a_guest_has_for_itself_are_refused(words: list[str], folder: str) -> None:
    with pytest.raises(UserError, match=r"is not seen in lab virtual, whose guests have a /(dev|sys) of their own"):
        request.require_seen_in_guest(words, Path(folder))


def test_other_folders_are_seen(tmp_path: Path) -> None:
    request.require_seen_in_guest(["/usr/bin/python3", "own.py", "/dev/null"], tmp_path)


def test_a_result_goes_where_nothing_is(tmp_path: Path) -> None:
    request.require_free(tmp_path / "new")
    (tmp_path / "empty").mkdir()
    request.require_free(tmp_path / "empty")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    with pytest.raises(UserError, match="is there already"):
        request.require_free(tmp_path / "full")
    with pytest.raises(UserError, match="does not exist: make it first"):
        request.require_free(tmp_path / "none" / "new")
