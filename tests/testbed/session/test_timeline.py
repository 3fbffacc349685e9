from __future__ import annotations

import math
from collections.abc import Callable

import pytest

from testbed.session import timeline as module
from testbed.session.timeline import CLOSE_S, Timeline


class Clock:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def monotonic(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    return clock


def test_acts_are_done_at_their_times_by_whoever_waits(clock: Clock) -> None:
    done: list[tuple[str, float]] = []

    def note(name: str) -> Callable[[], None]:
        return lambda: done.append((name, clock.now_s - 100))

    timeline = Timeline([(0.0, note("first")), (1.0, note("second")), (1.0, note("third")), (9.0, note("late"))])
    timeline.begin()
    waits = 0
    while timeline.left_s < 7:
        clock.sleep(timeline.patience_s * 1.001)  # as late as a poll may be
        timeline.act()
        waits += 1
    assert done == [("first", 0.0), ("second", pytest.approx(1.0)), ("third", pytest.approx(1.0))]
    assert waits < 10


def test_nobody_waits_longer_than_until_just_before_the_next(clock: Clock) -> None:
    timeline = Timeline([(10.0, lambda: None)])
    timeline.begin()
    assert 9.9 < timeline.patience_s < 10.0
    clock.sleep(10.0 - 1.1 * CLOSE_S)
    assert 0 < timeline.patience_s < CLOSE_S
    clock.sleep(20.0)
    assert timeline.patience_s == 0.0


def test_without_acts_one_may_wait_for_ever() -> None:
    timeline = Timeline()
    timeline.begin()
    timeline.act()
    assert timeline.left_s == timeline.patience_s == math.inf
