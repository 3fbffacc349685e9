"""The last step of a trace, as bars."""

from __future__ import annotations

from typing import Any

from reports.explorer.time_lines import last_step

SLICES = [["compute", 0, 400_000_000], ["send", 100_000_000, 100_000_000, [[1, 8]]], ["wait", 0, 400_000_000]]
STEP = {"begin_ns": 5_000_000, "end_ns": 1_005_000_000, "slices": SLICES}


def trace(*workers: Any) -> dict[str, Any]:
    return {"steps": [7, 8], "workers": [[{"begin_ns": 0, "end_ns": 5_000_000, "slices": []}, one] for one in workers]}


def test_bars_are_what_the_last_step_did_in_seconds_since_it_began() -> None:
    later = STEP | {"begin_ns": 6_000_000}
    assert last_step(trace(STEP, later))[:4] == [
        (0, "compute", 0.0, 0.4), (0, "send", 0.5, 0.6), (0, "wait", 0.6, 1.0), (1, "compute", 0.001, 0.401),
    ]  # fmt: skip


def test_what_is_too_short_to_be_seen_is_joined_or_left_out() -> None:
    slices = [["wait", 0, 500_000_000], ["apply", 0, 1000], ["wait", 1000, 499_000_000]]
    assert last_step(trace(STEP | {"slices": slices})) == [(0, "wait", 0.0, 0.999)]
