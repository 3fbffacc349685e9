"""The trace of a cell: what every worker did in the last steps that were measured, when, and with whom."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from testbed.workers.protocol import BlockDone, Slice

# Of the last repetition. Enough to see how workers wait for each other from step to step; three steps of an allreduce
# among sixteen workers, which has the most slices, are some ten kilobytes.
TRACED_STEPS = 3


def trace_document(last: Sequence[BlockDone], end_step: int) -> dict[str, Any]:
    """The trace of docs/architecture.md, from the workers' answers to a block that ended before step `end_step`."""
    traced = len(last[0].slices)
    edges_s = [[block.start_s, *block.ends_s][-traced - 1 :] for block in last]
    origin_s = min(of_worker[0] for of_worker in edges_s)

    def ns(time_s: float) -> int:
        return round((time_s - origin_s) * 1e9)

    def row(one: Slice) -> list[Any]:
        # Ends are rounded, not durations, so that slices that touch still do.
        begin_ns = ns(one.start_s)
        times = [one.name, begin_ns, ns(one.start_s + one.duration_s) - begin_ns]
        return [*times, [list(message) for message in one.messages]] if one.messages else times

    return {
        "steps": list(range(end_step - traced, end_step)),
        "workers": [
            [
                {"begin_ns": ns(begin_s), "end_ns": ns(end_s), "slices": [row(one) for one in slices]}
                for (begin_s, end_s), slices in zip(pairwise(edges), block.slices, strict=True)
            ]
            for edges, block in zip(edges_s, last, strict=True)
        ],
    }
