"""A schedule against a shaper that only remembers what it was told."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import pytest

from shaping.plan import LinkShaping
from shaping.schedule import Scheduled, redrawn, scheduled
from testbed.cell import Change, Network
from testbed.session.link_schedule import LinkSchedule
from topologies import make
from topologies.wiring import derive

WIRING = derive(make("star", workers=3))
NETWORK = Network(topology="star", workers=3, bandwidth_bit_per_s=1e7, latency_s=1e-3, queue_bytes=10**5)
PLANS = scheduled(NETWORK, (Change(at_s=0.0, loss=0.1), Change(at_s=1e-3, worker=1, down_s=1e-3)), WIRING)


class Shaper:
    """Loses five packets at each change."""

    def __init__(self) -> None:
        self.told: list[tuple[str, tuple[LinkShaping, ...]]] = []
        self.dropped = 0

    def apply(self, plan: Sequence[LinkShaping]) -> None:
        self.told.append(("apply", tuple(plan)))
        self.dropped = 0

    def change(self, plan: Sequence[LinkShaping]) -> None:
        self.told.append(("change", tuple(plan)))
        self.dropped += 5

    def calibrate(self, plan: Sequence[LinkShaping]) -> None:
        raise AssertionError  # the network was calibrated before its first cell

    def read_back(self, plan: Sequence[LinkShaping]) -> list[dict[str, Any]]:
        self.told.append(("read back", tuple(plan)))
        return []

    def drain(self, within_s: float) -> None:
        self.told.append((f"drain {within_s:g}", ()))

    def report(self) -> dict[str, Any]:
        return {"dropped": self.dropped}

    def close(self) -> None:
        raise AssertionError


def repetition(schedule: LinkSchedule, number: int, acts: int) -> dict[str, Any]:
    """One whose steps end after that many changes."""
    schedule.set_up(number)
    timeline = schedule.timeline()
    start_s = time.monotonic()
    timeline.begin()
    for _, act in list(timeline._left)[:acts]:
        act()
    record = schedule.record(start_s)
    schedule.restore()
    return record


@pytest.mark.parametrize("number", [0, 2])
def test_everything_that_is_set_is_read_back_with_the_repetitions_own_draws(number: int) -> None:
    shaper = Shaper()
    repetition(LinkSchedule(shaper, PLANS, 7.0), number, acts=3)
    plans = [redrawn(plan, number) for plan in (PLANS.still, *(one.plan for one in PLANS.moments), PLANS.still)]
    what = ["apply", "change", "change", "change", "change"]
    told = [(how, plan) for done, plan in zip(what, plans, strict=True) for how in (done, "read back")]
    assert shaper.told == [("drain 7", ()), *[(how, plan) for how, plan in told]]


def test_the_record_says_what_was_applied_and_what_was_lost_meanwhile() -> None:
    shaper = Shaper()
    schedule = LinkSchedule(shaper, PLANS, 7.0)
    first, second = repetition(schedule, 0, acts=3), repetition(schedule, 1, acts=1)
    assert [(one["change"], one["ends"], one["at_s"]) for one in first["changes"]] == [
        (0, False, 0.0),
        (1, False, 1e-3),
        (1, True, 2e-3),
    ]
    assert all(0 <= one["applied_s"] < 60 for one in first["changes"])
    assert [one["applied_s"] is None for one in second["changes"]] == [False, True, True]
    assert (first["dropped"], second["dropped"]) == (15, 5)


def test_a_plan_has_nothing_to_do_where_nothing_is_scheduled() -> None:
    still = Scheduled(still=PLANS.still, moments=())
    assert repetition(LinkSchedule(Shaper(), still, 7.0), 0, acts=0) == {"changes": [], "dropped": 0}
