"""The trace of a cell: what every worker did in the last steps that were measured, when, and with whom."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from testbed.workers.protocol import BlockDone, Slice

# Of the last repetition. Enough to see how workers wait for each other from step to step; of an allreduce among sixteen
# workers, which has the most slices, seven kilobytes.
TRACED_STEPS = 3


def trace_document(last: Sequence[BlockDone], end_step: int) -> dict[str, Any]:
    """The trace of docs/architecture.md, from the workers' answers to a block that ended before step `end_step`."""
    traced = len(last[0].slices)
    edges_s = [[block.start_s, *block.ends_s][-traced - 1 :] for block in last]
    origin_s = min(of_worker[0] for of_worker in edges_s)
    return {
        "steps": list(range(end_step - traced, end_step)),
        "workers": [
            [
                _step(begin_s - origin_s, end_s - origin_s, slices, origin_s)
                for (begin_s, end_s), slices in zip(pairwise(edges), block.slices, strict=True)
            ]
            for edges, block in zip(edges_s, last, strict=True)
        ],
    }


def _step(begin_s: float, end_s: float, slices: Sequence[Slice], origin_s: float) -> dict[str, Any]:
    """One step of a worker. Gaps instead of beginnings: most are nothing, and a packed file a quarter as long."""
    rows: list[list[Any]] = []
    free_ns = _ns(begin_s)  # the end of the slice before
    for one in slices:
        # Ends are rounded, not durations, so that slices that touch still do.
        begin_ns, end_ns = _ns(one.start_s - origin_s), _ns(one.start_s + one.duration_s - origin_s)
        messages = [[list(message) for message in one.messages]] if one.messages else []
        rows.append([one.name, begin_ns - free_ns, end_ns - begin_ns, *messages])
        free_ns = end_ns
    return {"begin_ns": _ns(begin_s), "end_ns": _ns(end_s), "slices": rows}


def _ns(time_s: float) -> int:
    return round(time_s * 1e9)
