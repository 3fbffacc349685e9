from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from testbed.program import stillness
from testbed.program.stillness import Stillness

GUEST, FIRST, SECOND = 100, 101, 102


class Guest:
    """A guest's clock, and the processor time that its kernel and two processes have used."""

    def __init__(self, clock: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.clock = clock
        self.times = {GUEST: 0.0, FIRST: 0.0, SECOND: 0.0}
        monkeypatch.setattr(stillness, "_times", lambda _: dict(self.times))
        monkeypatch.setattr(stillness, "ranks_of", lambda process: [process - FIRST])
        self.watched = Stillness(GUEST, clock, patience_s=10, ranks=2)
        self.passes(1)
        assert self.watched.look() is None

    def passes(self, now_ns: int) -> None:
        self.clock.write_text(f"{now_ns}\n")

    def uses(self, times: Mapping[int, float]) -> None:
        self.times = {process: time_s + times.get(process, 0.0) for process, time_s in self.times.items()}


@pytest.fixture
def guest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Guest:
    return Guest(tmp_path / "clock", monkeypatch)


def test_whoever_is_busy_while_time_stands_still_is_named(guest: Guest) -> None:
    guest.uses({SECOND: 11, FIRST: 0.5})
    assert guest.watched.look() == "rank 1"


def test_several_that_are_busy_are_named(guest: Guest) -> None:
    guest.uses({SECOND: 11, FIRST: 9})
    assert guest.watched.look() == "ranks 0 and 1"


def test_patience_begins_anew_when_time_passes(guest: Guest) -> None:
    guest.uses({SECOND: 9})
    assert guest.watched.look() is None
    guest.passes(2)
    assert guest.watched.look() is None
    guest.uses({SECOND: 9})
    assert guest.watched.look() is None
    guest.uses({SECOND: 2})
    assert guest.watched.look() == "rank 1"


def test_a_guest_that_gets_no_processor_is_not_spinning(guest: Guest) -> None:
    assert [guest.watched.look() for _ in range(100)] == [None] * 100


def test_what_the_kernel_does_for_ranks_counts_for_all_of_them(guest: Guest) -> None:
    guest.uses({GUEST: 29, FIRST: 0.5})
    assert guest.watched.look() is None
    guest.uses({GUEST: 2})
    assert guest.watched.look() == "rank 0"


def test_no_time_that_was_ever_shown_is_no_time_that_stands_still(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stillness, "_times", lambda _: {FIRST: 1000.0})
    watched = Stillness(GUEST, tmp_path / "none", patience_s=10, ranks=2)
    assert [watched.look(), watched.look()] == [None, None]


@pytest.fixture
def process() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(["sleep", "60"], env={**os.environ, "PMI_RANK": "13", "Z": "1"}) as started:
        yield started
        started.kill()


def test_a_rank_is_known_by_the_environment_in_its_memory(process: subprocess.Popen[bytes]) -> None:
    assert stillness.ranks_of(process.pid) == [13]


def test_a_process_that_is_gone_is_no_rank(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()
    assert stillness.ranks_of(process.pid) == []


def test_ranks_in_words() -> None:
    assert [stillness.in_words(ranks) for ranks in ([], [2], [0, 1], [0, 1, 3])] == [
        "a rank", "rank 2", "ranks 0 and 1", "ranks 0, 1 and 3",
    ]  # fmt: skip
