"""A step in time: what each worker did when, in the last step of a cell, from the trace in its run folder."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

SHORT = 1 / 500  # of the step: gaps within which slices of one kind are shown as one

Bar = tuple[int, str, float, float]  # worker, what it did, begin and end in seconds since the step began


def last_step(trace: Mapping[str, Any]) -> list[Bar]:
    """The last step that was measured, of every worker."""
    steps = [worker[-1] for worker in trace["workers"]]
    begin_ns = min(step["begin_ns"] for step in steps)
    short_ns = SHORT * (max(step["end_ns"] for step in steps) - begin_ns)
    return [
        (rank, name, _seconds(begin - begin_ns), _seconds(end - begin_ns))
        for rank, step in enumerate(steps)
        for name, begin, end in _joined(_slices(step), short_ns)
    ]


def _slices(step: Mapping[str, Any]) -> Iterator[tuple[str, int, int]]:
    free_ns = step["begin_ns"]  # the end of the slice before
    for name, gap_ns, duration_ns, *_ in step["slices"]:
        begin_ns = free_ns + gap_ns
        free_ns = begin_ns + duration_ns
        yield name, begin_ns, free_ns


def _joined(slices: Iterator[tuple[str, int, int]], short_ns: float) -> Sequence[tuple[str, int, int]]:
    """Slices of one kind that almost touch, as one; what is too short to be seen between them is left out."""
    joined: list[tuple[str, int, int]] = []
    for name, begin, end in slices:
        before = joined[-1] if joined else None
        if before and before[0] == name and begin - before[2] <= short_ns:
            joined[-1] = (name, before[1], end)
        elif end - begin > short_ns or not joined:
            joined.append((name, begin, end))
    return joined


def _seconds(ns: float) -> float:
    return float(f"{ns / 1e9:.5g}")
