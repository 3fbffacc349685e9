from __future__ import annotations

import io
import threading
from pathlib import Path
from typing import Any

import pytest

from testbed.errors import LabError
from testbed.labs.spool import EventWriter
from testbed.program.following import Following
from testbed.program.launch import EVENTS
from testbed.program.output import Output


class Station:
    """A station that has ended already."""

    word = "the guest"

    def ended(self) -> bool:
        return True

    def wait(self, timeout_s: float) -> bool:
        return True

    def last_words(self) -> str:
        return "Kernel panic"


class Still:
    """A guest in which time stands still."""

    patience_s = 5.0

    def look(self) -> str | None:
        return "ranks 0 and 2"


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def printed() -> io.BytesIO:
    return io.BytesIO()


@pytest.fixture
def following(tmp_path: Path, said: list[str], printed: io.BytesIO) -> Following:
    (tmp_path / "rank-0.out").write_bytes(b"last words")
    output = Output(tmp_path, 1, printed, io.BytesIO(), label=False)
    return Following(Station(), tmp_path, output, said.append)  # type: ignore[arg-type]


def write(folder: Path, *events: tuple[str, dict[str, Any]]) -> None:
    writer = EventWriter(folder / EVENTS)
    for kind, values in events:
        writer.write(kind, **values)
    writer.close()


def test_a_station_is_followed_to_its_end(
    following: Following, tmp_path: Path, said: list[str], printed: io.BytesIO
) -> None:
    facts = ("facts", {"kernel": "6"})
    write(tmp_path, ("note", {"text": "probing"}), facts, ("began", {}), ("ended", {"document": {"a": 1}}), ("end", {}))
    following.until_end(threading.Event(), None)
    assert (following.document, following.facts, said) == ({"a": 1}, {"kernel": "6"}, ["probing"])
    assert printed.getvalue() == b"last words"


def test_a_station_that_failed_says_why(following: Following, tmp_path: Path) -> None:
    write(tmp_path, ("failed", {"reason": "interface w0-eth0 is gone"}), ("end", {}))
    with pytest.raises(LabError, match="interface w0-eth0 is gone"):
        following.until_end(threading.Event(), None)


def test_a_station_that_died_is_told_by_its_last_words(following: Following) -> None:
    with pytest.raises(LabError, match="the guest died; the end of what it said: Kernel panic"):
        following.until_end(threading.Event(), None)


def test_a_program_that_is_stopped_has_no_document(following: Following) -> None:
    stop = threading.Event()
    stop.set()
    following.until_end(stop, None)
    assert following.document is None


def test_ranks_that_spin_are_named_with_the_remedy(following: Following, printed: io.BytesIO) -> None:
    with pytest.raises(LabError, match=r"ranks 0 and 2 used the processor for 5 s .* or use --lab host"):
        following._judge(Still())  # type: ignore[arg-type]
    assert printed.getvalue() == b"last words"
