from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from algorithms.algorithm import Exchange, Receive, Send, Work
from testbed.workers import meter
from testbed.workers.meter import StepMeter
from testbed.workers.protocol import LIBRARY_ALLREDUCE, PARTS, SEND, WAIT, Slice
from testbed.workers.time_line import TimeLine

COMMUNICATION = (SEND, WAIT, LIBRARY_ALLREDUCE)
TICK_S = 256e-9  # what reading the clock takes in the virtual lab, and its resolution


def shown(line: TimeLine) -> list[tuple[str, float, float]]:
    return [(one.name, one.start_s, one.duration_s) for one in line.slices]


def test_work_without_a_place_of_its_own_follows_the_last() -> None:
    line = TimeLine(10.0)
    line.work("compute", 2.0, 10.5)
    line.work("encode", 0.25)
    line.work("apply", 0.0)  # takes no time: no slice
    assert shown(line) == [("compute", 10.5, 2.0), ("encode", 12.5, 0.25)]


def test_adjacent_pieces_of_a_part_are_one_slice() -> None:
    line = TimeLine(0.0)
    line.work("decode", 1.0, 0.0)
    line.work("decode", 2.0, 1.0 + TICK_S)
    line.work("decode", 4.0, 5.0)  # after something that nobody counted
    assert shown(line) == [("decode", 0.0, 3.0), ("decode", 5.0, 4.0)]


def test_what_a_sleep_takes_longer_follows_under_the_name_of_its_work() -> None:
    line = TimeLine(0.0)
    line.work("encode", 1.0, 0.0)
    line.work("apply", 2.0)  # nothing of it was due
    line.overslept("encode", 0.5, 3.5)
    assert shown(line) == [("encode", 0.0, 1.0), ("apply", 1.0, 2.0), ("encode", 3.0, 0.5)]


def test_what_a_sleep_takes_shorter_is_taken_from_its_work() -> None:
    line = TimeLine(0.0)
    line.work("encode", 1.0, 0.0)
    line.work("apply", 2.0)
    line.overslept("encode", -0.25, 3.0)
    assert shown(line) == [("encode", 0.0, 0.75), ("apply", 1.0, 2.0)]


def test_an_exchange_is_sending_then_waiting_with_its_messages() -> None:
    line = TimeLine(0.0)
    line.communicated(1.0, 4.0, 1.5)
    line.explain(sends=((1, 100),), receives=((2, 50), (3, 60)))
    assert line.slices == [Slice(SEND, 1.0, 0.5, ((1, 100),)), Slice(WAIT, 1.5, 2.5, ((2, 50), (3, 60)))]


def test_what_the_library_does_is_one_slice() -> None:
    line = TimeLine(0.0)
    line.communicated(1.0, 4.0, None)
    assert shown(line) == [(LIBRARY_ALLREDUCE, 1.0, 3.0)]


class Clock:
    """Stands for `time` and for the still clock: reading ticks, or does not; a sleep ends later than it should."""

    def __init__(self, late_s: float) -> None:
        self.now_s = 100_000.0
        self.late_s = late_s
        self.readings = 0

    def monotonic(self) -> float:
        self.readings += 1
        self.now_s += TICK_S
        return math.floor(self.now_s / TICK_S) * TICK_S

    def still(self) -> float:
        return math.floor(self.now_s / TICK_S) * TICK_S

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds + self.late_s


SECONDS = st.floats(1e-6, 1.0)
ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("work"), st.sampled_from(list(Work)), SECONDS, SECONDS),  # what it costs, what has passed
        st.tuples(st.just("staging"), st.sampled_from(["encode", "decode"]), SECONDS),
        st.tuples(st.just("exchange"), SECONDS, SECONDS),
        st.tuples(st.just("library"), SECONDS),
        st.tuples(st.just("uncounted"), SECONDS),
    ),
    max_size=12,
)
EXCHANGE = Exchange([Send(1, torch.zeros(8, dtype=torch.uint8))], [Receive(2, torch.zeros(9, dtype=torch.uint8))])


def act(step: StepMeter, clock: Clock, costs: list[float], kind: str, *values: object) -> None:
    first, last = values[0], values[-1]
    assert isinstance(last, float)
    if kind == "work":
        assert isinstance(first, Work) and isinstance(values[1], float)
        costs.append(values[1])
        with step.work(first, 1):
            clock.now_s += last
    elif kind == "staging":
        step.charge(str(first), last)
    elif kind == "exchange":
        assert isinstance(first, float)
        with step.communicating():
            clock.now_s += first
            step.all_sent()
            clock.now_s += last
        step.explain(EXCHANGE, [7])
    elif kind == "library":
        with step.communicating():
            clock.now_s += last
    else:
        clock.now_s += last


Step = tuple[StepMeter, Clock, float, float]


def take(actions: list[tuple[object, ...]], late_s: float, traced: bool, clock_of: Callable[[float], Clock]) -> Step:
    """A step of these actions: the meter after it, the clock, when the step began and when it ended."""
    with pytest.MonkeyPatch.context() as patch:
        clock = clock_of(late_s)
        patch.setattr(meter, "time", clock)
        costs: list[float] = []
        step = StepMeter(lambda work, size_bytes, codec: costs.pop())
        patch.setattr(step._still_clock, "now_s", clock.still)
        began_s = clock.monotonic()
        step.new_step(began_s if traced else None)
        with step.lasting("compute", 0.5):
            clock.now_s += 0.125
        for kind, *values in actions:
            act(step, clock, costs, str(kind), *values)
        step.settle()
        return step, clock, began_s, clock.monotonic()


@given(actions=ACTIONS, late_s=st.floats(0, 1e-3))
def test_slices_lie_in_their_step_one_after_the_other_and_add_up_to_its_parts(actions, late_s) -> None:
    step, _, began_s, ended_s = take(actions, late_s, True, Clock)
    slices = step.slices()
    rounding_s = 1e-9
    assert began_s <= slices[0].start_s and slices[-1].start_s + slices[-1].duration_s <= ended_s + rounding_s
    for one, following in pairwise(slices):
        assert one.duration_s >= 0
        assert one.start_s + one.duration_s <= following.start_s + rounding_s
    for part in PARTS:
        names = COMMUNICATION if part == "communicate" else (part,)
        total = math.fsum(one.duration_s for one in slices if one.name in names)
        assert total == pytest.approx(step.parts_s[part], rel=1e-12, abs=rounding_s)


@given(actions=ACTIONS, late_s=st.floats(0, 1e-3))
def test_a_step_takes_as_long_traced_as_not(actions, late_s) -> None:
    traced, clock, _, ended_s = take(actions, late_s, True, Clock)
    plain, other, _, plain_ended_s = take(actions, late_s, False, Clock)
    assert (ended_s, clock.readings, traced.parts_s) == (plain_ended_s, other.readings, plain.parts_s)
    assert plain.slices() == ()


def test_messages_have_peers_and_the_bytes_that_came() -> None:
    step, *_ = take([("exchange", 0.5, 0.5)], 0.0, True, Clock)
    assert [(one.name, one.messages) for one in step.slices()[1:]] == [(SEND, ((1, 8),)), (WAIT, ((2, 7),))]
