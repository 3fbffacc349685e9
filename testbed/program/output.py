"""What a program's ranks print, passed on as it comes."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO


@dataclass
class _Stream:
    """One rank's file, how far it was read, and a line of it that has not ended."""

    path: Path
    into: BinaryIO
    prefix: bytes
    read_bytes: int = 0
    unended: bytes = field(default=b"")


class Output:
    """Follows the files of all ranks. Lines come through whole, so that those of two ranks do not mix."""

    def __init__(self, folder: Path, ranks: int, out: BinaryIO, err: BinaryIO, *, label: bool) -> None:
        """`label`: whether each line says its rank, as `[2] `."""
        self._streams = [
            _Stream(folder / f"rank-{rank}.{kind}", into, f"[{rank}] ".encode() if label else b"")
            for rank in range(ranks)
            for kind, into in (("out", out), ("err", err))
        ]

    def pass_on(self, *, all_of_it: bool = False) -> None:
        """Pass on what has come, also lines that have not ended if `all_of_it`."""
        for stream in self._streams:
            self._pass_on(stream, all_of_it)

    def _pass_on(self, stream: _Stream, all_of_it: bool) -> None:
        new = _since(stream.path, stream.read_bytes)
        stream.read_bytes += len(new)
        whole, newline, rest = (stream.unended + new).rpartition(b"\n")
        lines = (whole + newline).splitlines(keepends=True)
        if all_of_it and rest:
            lines, rest = [*lines, rest + (b"\n" if stream.prefix else b"")], b""
        stream.unended = rest
        stream.into.write(b"".join(stream.prefix + line for line in lines))
        stream.into.flush()


def _since(path: Path, position: int) -> bytes:
    try:
        with path.open("rb") as file:
            file.seek(position)
            return file.read()
    except FileNotFoundError:  # that rank has not begun
        return b""
