from __future__ import annotations

import io
from pathlib import Path

import pytest

from testbed.program.output import Output


@pytest.fixture
def out() -> io.BytesIO:
    return io.BytesIO()


def output(folder: Path, out: io.BytesIO, err: io.BytesIO | None = None, *, label: bool = False) -> Output:
    return Output(folder, 2, out, err or io.BytesIO(), label=label)


def append(folder: Path, name: str, text: bytes) -> None:
    with (folder / name).open("ab") as file:
        file.write(text)


def test_lines_come_whole_however_they_are_written(tmp_path: Path, out: io.BytesIO) -> None:
    following = output(tmp_path, out)
    append(tmp_path, "rank-0.out", b"one\ntw")
    append(tmp_path, "rank-1.out", b"other\n")
    following.pass_on()
    assert out.getvalue() == b"one\nother\n"
    append(tmp_path, "rank-0.out", b"o\n")
    following.pass_on()
    assert out.getvalue() == b"one\nother\ntwo\n"


def test_at_the_end_a_line_without_an_end_comes_too(tmp_path: Path, out: io.BytesIO) -> None:
    append(tmp_path, "rank-1.out", b"no end")
    following = output(tmp_path, out)
    following.pass_on()
    assert out.getvalue() == b""
    following.pass_on(all_of_it=True)
    assert out.getvalue() == b"no end"


def test_labels_say_the_rank_of_every_line(tmp_path: Path, out: io.BytesIO) -> None:
    append(tmp_path, "rank-0.out", b"a\n\nb")
    append(tmp_path, "rank-1.out", b"\xffc\n")
    output(tmp_path, out, label=True).pass_on(all_of_it=True)
    assert out.getvalue() == b"[0] a\n[0] \n[0] b\n[1] \xffc\n"


def test_both_streams_go_their_own_way(tmp_path: Path, out: io.BytesIO) -> None:
    err = io.BytesIO()
    append(tmp_path, "rank-0.out", b"out\n")
    append(tmp_path, "rank-0.err", b"err\n")
    output(tmp_path, out, err).pass_on()
    assert (out.getvalue(), err.getvalue()) == (b"out\n", b"err\n")
