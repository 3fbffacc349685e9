"""Traces of cells: written to a run folder, read back, and turned into what trace viewers open.

A trace (docs/architecture.md) holds each worker's slices of the last measured steps in whole nanoseconds. Viewers of
Chrome's trace event format, such as Perfetto, take times in microseconds.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from testbed.cell import Cell
from testbed.errors import LabError
from testbed.results import atomic
from testbed.results.documents import SCHEMA

_DIRECTION: Final = {"send": "to", "wait": "from"}  # what the messages of a slice are for, for its arguments


def write(path: Path, cell: Cell, trace: Mapping[str, Any]) -> None:
    """Put a cell's trace at `path`, whole or not at all. LabError where the disk does not take it."""
    text = json.dumps({"schema": SCHEMA, "cell": cell.to_json(), **trace}, separators=(",", ":"), allow_nan=False)
    atomic.write_bytes(path, gzip.compress(text.encode(), mtime=0))


def read(path: Path) -> dict[str, Any]:
    """The trace at `path`. LabError where it is damaged."""
    try:
        trace: dict[str, Any] = json.loads(gzip.decompress(path.read_bytes()))
        trace["steps"], trace["workers"]
    except (OSError, EOFError, ValueError, KeyError, TypeError):
        raise LabError(
            f"{path} is damaged: remove it and the cell's document, and run the sweep again, which measures the cell "
            "anew"
        ) from None
    return trace


def chrome_events(trace: Mapping[str, Any], title: str) -> dict[str, Any]:
    """The trace in Chrome's trace event format: a track for each worker, a slice for each step, in it the step's."""
    names = [_named("process_name", 0, title)]
    slices: list[dict[str, Any]] = []
    for rank, steps in enumerate(trace["workers"]):
        names += [_named("thread_name", rank, f"worker {rank}"), _sorted(rank)]
        slices += _track(rank, trace["steps"], steps)
    return {"displayTimeUnit": "ms", "otherData": {"cell": trace["cell"]}, "traceEvents": [*names, *slices]}


def _track(rank: int, numbers: Sequence[int], steps: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    for number, step in zip(numbers, steps, strict=True):
        yield _slice(rank, f"step {number}", "step", step["begin_ns"], step["end_ns"] - step["begin_ns"])
        free_ns = step["begin_ns"]  # the end of the slice before
        for name, gap_ns, duration_ns, *messages in step["slices"]:
            yield _slice(rank, name, "part", free_ns + gap_ns, duration_ns) | _arguments(name, *messages)
            free_ns += gap_ns + duration_ns


def _slice(rank: int, name: str, category: str, begin_ns: int, duration_ns: int) -> dict[str, Any]:
    times_us = {"ts": begin_ns / 1e3, "dur": duration_ns / 1e3}
    return {"ph": "X", "pid": 0, "tid": rank, "name": name, "cat": category, **times_us}


def _arguments(name: str, messages: Sequence[Sequence[int]] = ()) -> dict[str, Any]:
    """Peers and bytes of a slice's messages."""
    if not messages:
        return {}
    by_peer = [{"worker": peer, "bytes": size} for peer, size in messages]
    return {"args": {"bytes": sum(size for _, size in messages), _DIRECTION[name]: by_peer}}


def _named(what: str, rank: int, name: str) -> dict[str, Any]:
    return {"ph": "M", "pid": 0, "tid": rank, "name": what, "args": {"name": name}}


def _sorted(rank: int) -> dict[str, Any]:
    return {"ph": "M", "pid": 0, "tid": rank, "name": "thread_sort_index", "args": {"sort_index": rank}}
