from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from itertools import pairwise
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed import profiles
from testbed.cell import Cell, Network, Steps
from testbed.session.measure import (
    Measurement,
    has_settled,
    merge_document,
    overrun_document,
    repetition_document,
    step_ends,
    steps_needed,
)
from testbed.session.timeline import Timeline
from testbed.session.trace import TRACED_STEPS
from testbed.session.worker_group import WorkerGroup
from testbed.workers.protocol import PARTS, Block, BlockDone, Counters, Leave, Left, Prepare, Ready, Slice, Snapshot

WORKERS = 2
BYTES = 100  # that each worker declares and hands over per step


def cell(steps: Steps) -> Cell:
    return Cell(
        lab="virtual",
        network=Network(topology="star", workers=WORKERS, bandwidth_bit_per_s=1e6, latency_s=1e-3, queue_bytes=100_000),
        algorithm="allreduce",
        codec="fp32",
        graph="ring",
        workload="vector-10",
        batch_size=1,
        device="instant",
        gradients="none",
        steps=steps,
    )


class ScriptedGroup:
    """Two workers that answer at once; step `n` takes `step_s(n)`, and the second worker ends a tenth of it earlier."""

    def __init__(self, step_s: Callable[[int], float] = lambda step: 1.0, period: int = 1) -> None:
        self._step_s = step_s
        self._period = period
        self._now_s = 0.0
        self._handed = 0
        self.log: list[str] = []
        self.blocks: list[Block] = []  # of worker 0
        self.first_commands: Sequence[Any] = ()  # blocks of all workers

    def ask(
        self, commands: Sequence[Any], reply_type: type, timeout_s: float, timeline: Timeline | None = None
    ) -> list[Any]:
        assert len(commands) == WORKERS
        self.log.append(type(commands[0]).__name__)
        replies = self._answer(commands)
        assert all(isinstance(reply, reply_type) for reply in replies)
        return replies

    def _answer(self, commands: Sequence[Any]) -> list[Any]:
        match commands[0]:
            case Prepare():
                return [Ready(10, self._period, 60, "none")] * WORKERS
            case Snapshot():
                return [Counters(self._handed, 0)] * WORKERS
            case Block() as block:
                self.first_commands = self.first_commands or commands
                self.blocks.append(block)
                return self._take(block)
            case Leave():
                return [Left()] * WORKERS
        raise TypeError(commands[0])

    def _take(self, block: Block) -> list[BlockDone]:
        taken_s = [self._step_s(block.first_step + step) for step in range(len(block.compute_s))]
        start_s, ends_s = self._now_s, self._now_s + np.cumsum(taken_s)
        self._now_s = ends_s[-1] + 5.0  # between blocks nobody measures
        self._handed += BYTES * len(taken_s)
        parts = {part: tuple(of * share for of in taken_s) for share, part in enumerate(PARTS)}
        early_s = 0.1 * np.array(taken_s)
        slices = tuple((Slice("wait", end_s - 0.5, 0.25),) for end_s in ends_s)[len(ends_s) - block.traced_steps :]
        return [
            BlockDone(start_s, tuple(ends_s), parts, BYTES * len(taken_s), slices=slices),
            BlockDone(start_s, tuple(ends_s - early_s), parts, BYTES * len(taken_s), slices=slices),
        ]


def measurement_of(
    group: ScriptedGroup,
    steps: Steps,
    draws: Callable[[int, int], Any] | None = None,
    said: list[Any] | None = None,
    mean_compute_s: Sequence[float] = (0.5,) * WORKERS,
    schedule: Any = None,
    measuring: AbstractContextManager[object] | None = None,
) -> Measurement:
    told: list[Any] = [] if said is None else said
    return Measurement(
        group=cast(WorkerGroup, group),
        cell=cell(steps),
        profile=profiles.load("instant"),
        draws=draws or (lambda repetition, number: np.full((WORKERS, number), 0.25)),
        mean_compute_s=mean_compute_s,
        quiet_s=0.0,
        say=lambda phase, step: told.append((phase, step)),
        schedule=schedule,
        measuring=measuring,
    )


def measure(group: ScriptedGroup, *arguments: Any, **more: Any) -> dict[str, Any]:
    return measurement_of(group, *arguments, **more).run(None, lambda rank, peer: 1)


def test_the_last_three_steps_of_the_last_repetition_are_traced() -> None:
    group = ScriptedGroup()
    measurement = measurement_of(group, Steps())
    document = measurement.run(None, lambda rank, peer: 1)
    assert [block.traced_steps for block in group.blocks] == [0, 0, 0, TRACED_STEPS]
    assert measurement.trace["steps"] == [33, 34, 35]
    begins_ns = [step["begin_ns"] for step in measurement.trace["workers"][0]]
    assert np.diff(begins_ns) / 1e9 == pytest.approx(document["repetitions"][-1]["step_s"][-2:])
    assert "trace" not in document


def test_repetitions_and_what_is_counted_around_them_are_enclosed() -> None:
    group = ScriptedGroup()

    @contextmanager
    def noted() -> Iterator[None]:
        group.log.append("begin")
        yield
        group.log.append("end")

    measure(group, Steps(repetitions=1), measuring=noted())
    assert group.log == ["Prepare", "Block", "begin", "Snapshot", "Block", "Snapshot", "end", "Leave"]


def test_a_step_ends_with_its_slowest_worker() -> None:
    done = [BlockDone(0.0, ends_s, {}, 0) for ends_s in ((1.0, 2.5, 3.0), (1.5, 2.0, 3.25))]
    assert step_ends(done).tolist() == [1.5, 2.5, 3.25]


@pytest.mark.parametrize(("lead_in", "expected"), [(1, [2.0, 3.0, 4.0]), (2, [3.0, 4.0])])
def test_the_lead_in_is_left_out_of_every_list(lead_in: int, expected: list[float]) -> None:
    parts = dict.fromkeys(PARTS, (1.0, 2.0, 3.0, 4.0))
    double = dict.fromkeys(PARTS, (3.0, 6.0, 9.0, 12.0))
    ends_s = (1.0, 3.0, 6.0, 10.0)
    document = repetition_document([BlockDone(0.0, ends_s, parts, 0), BlockDone(0.0, ends_s, double, 0)], lead_in)
    assert document["step_s"] == expected
    for part in PARTS:
        assert document[f"{part}_s"] == [2 * step_s for step_s in expected]  # the workers' mean


@pytest.mark.parametrize(
    ("step_s", "period", "settled"),
    [
        ([1.0], 1, False),
        ([1.0, 1.0], 1, True),
        ([1.0, 1.0049], 1, True),
        ([1.0, 1.0051], 1, False),
        ([1.0051, 1.0], 1, False),
        ([9.0, 1.0, 1.0], 1, True),
        ([1.0, 2.0, 1.0, 2.0], 1, True),  # a rhythm of two steps
        ([1.0, 2.0, 1.0], 1, False),
        ([1.0, 2.0, 1.1, 2.0], 1, False),
        ([1.0, 2.0, 1.0, 2.0], 2, True),
        ([1.0, 2.0, 2.0], 2, False),  # not two periods
    ],
)
def test_settled_is_two_periods_or_two_pairs_within_half_a_percent(
    step_s: list[float], period: int, settled: bool
) -> None:
    assert has_settled(step_s, period) is settled


def test_a_settled_cell_warms_up_once_and_measures_every_repetition() -> None:
    group = ScriptedGroup()
    said: list[Any] = []
    document = measure(group, Steps(), said=said)
    assert group.log == ["Prepare", "Block", "Snapshot", "Block", "Block", "Block", "Snapshot", "Leave"]
    assert [(block.first_step, len(block.compute_s)) for block in group.blocks] == [(0, 3), (3, 11), (14, 11), (25, 11)]
    assert said == [("warm-up", 0), ("measuring", 3), ("measuring", 14), ("measuring", 25)]
    assert document["warmup"] == {"steps": 3, "settled": True}
    assert [len(repetition["step_s"]) for repetition in document["repetitions"]] == [10, 10, 10]
    assert document["repetitions"][0]["step_s"] == pytest.approx([1.0] * 10)
    assert document["repetitions"][0]["encode_s"] == [1.0 * PARTS.index("encode")] * 10
    assert document["workload"] == {"dataset": "none", "samples": 60, "parameters": 10, "gradients": "none"}


def test_warm_up_goes_on_until_the_step_time_settles() -> None:
    group = ScriptedGroup(lambda step: 2.0 - 0.1 * step if step < 5 else 1.5)
    document = measure(group, Steps())
    assert [block.first_step for block in group.blocks[:3]] == [0, 3, 7]
    assert document["warmup"] == {"steps": 7, "settled": True}


def test_a_rhythm_of_two_steps_is_settled_in_the_third_block() -> None:
    group = ScriptedGroup(lambda step: 5.0 if step in (0, 3, 7) else 1.0 + step % 2)  # each block's lead-in is longer
    document = measure(group, Steps())
    assert [len(block.compute_s) for block in group.blocks[:3]] == [3, 4, 5]
    assert document["warmup"] == {"steps": 12, "settled": True}


def test_a_cell_that_does_not_settle_is_measured_and_says_so() -> None:
    group = ScriptedGroup(lambda step: 1.01**step)
    document = measure(group, Steps(warmup_max=11))
    assert document["warmup"] == {"steps": 7, "settled": False}  # a third block would pass the limit
    assert len(document["repetitions"]) == 3


def test_the_minimum_of_warm_up_is_taken_whatever_the_maximum() -> None:
    group = ScriptedGroup(lambda step: 1.01**step)
    assert measure(group, Steps(warmup_min=5, warmup_max=4))["warmup"]["steps"] == 5


def test_whole_periods_are_taken() -> None:
    group = ScriptedGroup(lambda step: 1.0 + step % 3, period=3)
    document = measure(group, Steps(repetitions=1))
    assert [(block.first_step, len(block.compute_s)) for block in group.blocks] == [(0, 6), (6, 15)]
    assert document["warmup"] == {"steps": 6, "settled": True}
    assert document["repetitions"][0]["step_s"] == pytest.approx([1.0, 2.0, 3.0] * 4)


def test_warm_up_computes_for_the_mean_time_and_repetitions_as_drawn() -> None:
    asked = []

    def draws(repetition: int, number: int) -> Any:
        asked.append((repetition, number))
        return repetition + 10 * np.arange(WORKERS)[:, None] + np.zeros((WORKERS, number))

    group = ScriptedGroup()
    measure(group, Steps(repetitions=2), draws)
    assert asked == [(0, 11), (1, 11)]
    assert [block.compute_s[0] for block in group.blocks] == [0.5, 0.0, 1.0]


def test_bytes_are_those_of_the_repetitions_per_step() -> None:
    document = measure(ScriptedGroup(), Steps())
    assert document["bytes"]["declared_per_step"] == WORKERS * BYTES
    assert document["bytes"]["handed_per_step"] == WORKERS * BYTES


@given(
    period=st.integers(1, 20),
    steps=st.builds(
        Steps,
        warmup_min=st.integers(1, 8),
        warmup_max=st.integers(1, 30),
        measured=st.integers(1, 12),
        repetitions=st.integers(1, 3),
    ),
)
def test_a_cell_takes_the_steps_needed_at_most(period: int, steps: Steps) -> None:
    group = ScriptedGroup(lambda step: 1.1**step, period)  # never settles
    measure(group, steps)
    assert sum(len(block.compute_s) for block in group.blocks) == steps_needed(steps, period)
    afresh = ScriptedGroup(lambda step: 1.1**step, period)
    measure(afresh, steps, schedule=ScriptedSchedule(afresh))
    last_step = max(block.first_step + len(block.compute_s) for block in afresh.blocks)
    assert last_step == steps_needed(steps, period, afresh=True)
    for block, following in pairwise(group.blocks):
        assert following.first_step == block.first_step + len(block.compute_s)


class ScriptedSchedule:
    """Links of which only is known when they were told what."""

    def __init__(self, group: ScriptedGroup) -> None:
        self.log = group.log

    def set_up(self, repetition: int) -> None:
        self.log.append(f"set up {repetition}")

    def timeline(self) -> Timeline:
        self.log.append("timeline")
        return Timeline()

    def restore(self) -> None:
        self.log.append("restore")

    def record(self, start_s: float) -> dict[str, Any]:
        return {"changes": [start_s], "dropped": 7}


def test_with_a_schedule_each_repetition_has_connections_and_a_warm_up_of_its_own() -> None:
    group = ScriptedGroup()
    schedule = ScriptedSchedule(group)
    document = measure(group, Steps(), schedule=schedule)
    once = ["Prepare", "Block", "Snapshot", "timeline", "Block", "restore", "Snapshot", "Leave"]
    assert group.log == ["set up 0", *once, "set up 1", *once, "set up 2", *once]
    assert [(block.first_step, len(block.compute_s)) for block in group.blocks] == [(0, 3), (3, 11)] * 3
    starts_s = [repetition["changes"] for repetition in document["repetitions"]]
    assert starts_s == [[8.0], [32.0], [56.0]]  # of the blocks that are measured: after 3 steps and a pause, and so on
    assert [repetition["begins_s"] for repetition in document["repetitions"]] == [1.0] * 3
    assert document["warmup"] == {"steps": 3, "settled": True}
    assert document["bytes"]["declared_per_step"] == document["bytes"]["handed_per_step"] == WORKERS * BYTES


def test_a_slow_worker_computes_longer_in_the_warm_up_too() -> None:
    group = ScriptedGroup()
    measure(group, Steps(), mean_compute_s=[0.5, 1.5])
    assert [command.compute_s for command in group.first_commands] == [(0.5,) * 3, (1.5,) * 3]


def test_overruns_are_those_of_the_worker_that_overran_longest() -> None:
    def done(calls: int, seconds: float) -> BlockDone:
        return BlockDone(10.0, (11.0, 12.0), {}, 0, calls, seconds)

    document = overrun_document([[done(8, 0.1), done(1, 0.3)], [done(8, 0.0), done(1, 0.1)]])
    assert document == pytest.approx({"calls_per_step": 0.5, "s_per_step": 0.1, "share": 0.1})


def test_a_document_says_what_workers_computed_on_and_that_nothing_overran() -> None:
    document = measure(ScriptedGroup(), Steps())
    assert document["devices"] == ["cpu"] * WORKERS
    assert document["overrun"] == {"calls_per_step": 0.0, "s_per_step": 0.0, "share": 0.0}


def test_a_merged_document_holds_the_cell_and_what_the_lab_adds() -> None:
    document = merge_document(cell(Steps()), {"warmup": {}}, probe={"faithful": True})
    assert Cell.from_json(document["cell"]) == cell(Steps())
    assert document | {"cell": None} == {
        "schema": 1,
        "cell": None,
        "status": "ok",
        "reason": "",
        "warmup": {},
        "probe": {"faithful": True},
    }
