"""One cell, measured: warm-up until the step time settles, repetitions, bytes."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from testbed.cell import Cell, Steps
from testbed.profiles.profile import Profile
from testbed.results.spread import steps_per_epoch
from testbed.session.byte_account import mean_account
from testbed.session.crew import Crew, HostLinks, workload_document
from testbed.session.link_schedule import LinkSchedule
from testbed.session.timeline import Timeline
from testbed.session.trace import TRACED_STEPS, trace_document
from testbed.session.worker_group import WorkerGroup
from testbed.workers.protocol import PARTS, BlockDone, Prepare

SETTLED_WITHIN = 0.005  # relative difference of two successive step times (means over periods, or over pairs of them)
LEAD_IN_STEPS = 1  # a block begins with all workers in step; they fall into their own rhythm before it is measured

ComputeDraws = Callable[[int, int], npt.NDArray[np.float64]]  # (repetition, steps) -> seconds [worker, step]


def steps_needed(steps: Steps, period: int = 1, *, afresh: bool = False) -> int:
    """How many different steps, and so recorded gradients, a cell takes at the most.

    `afresh`: each repetition begins the training again, as it does where there is a schedule.
    """
    in_turn = 1 if afresh else steps.repetitions
    return sum(_warmup_blocks(steps, period)) + in_turn * _repetition_steps(steps, period)


def steps_of(cell: Cell, samples: int) -> Steps:
    """The steps that a cell takes: with `full_epoch` a repetition is one pass over the `samples` of its data set."""
    if not cell.full_epoch:
        return cell.steps
    return dataclasses.replace(cell.steps, measured=steps_per_epoch(samples, cell.network.workers, cell.batch_size))


def _warmup_blocks(steps: Steps, period: int) -> list[int]:
    """Steps of the blocks of a warm-up that does not settle: what fits in the maximum, one block in any case.

    The first has two periods at least, so that they can be compared; each further one a period more, so that a rhythm
    of two periods can show after the lead-in.
    """
    blocks = [_whole_periods(max(steps.warmup_min, 2 * period), period)]
    while sum(blocks) + blocks[-1] + period <= steps.warmup_max:
        blocks.append(blocks[-1] + period)
    return blocks


def _whole_periods(steps: int, period: int) -> int:
    return -(-steps // period) * period


def _repetition_steps(steps: Steps, period: int) -> int:
    return _whole_periods(LEAD_IN_STEPS, period) + _whole_periods(steps.measured, period)


def step_ends(done: Sequence[BlockDone]) -> npt.NDArray[np.float64]:
    """When each step of a block ended: when its slowest worker did. Seconds, [step]."""
    ends_s: npt.NDArray[np.float64] = np.max([block.ends_s for block in done], axis=0)
    return ends_s


def block_start(done: Sequence[BlockDone]) -> float:
    """When a block's first step began: when the first worker began it. Seconds."""
    return min(block.start_s for block in done)


def repetition_document(done: Sequence[BlockDone], lead_in: int) -> dict[str, Any]:
    """Step times and mean parts of a block's steps after the lead-in; `begins_s`: where that is, from its start."""
    ends_s = step_ends(done)
    document: dict[str, Any] = {"begins_s": float(ends_s[lead_in - 1]) - block_start(done)}
    document["step_s"] = np.diff(ends_s)[lead_in - 1 :].tolist()
    for part in PARTS:
        document[f"{part}_s"] = np.mean([block.parts_s[part] for block in done], axis=0)[lead_in:].tolist()
    return document


def overrun_document(blocks: Sequence[Sequence[BlockDone]]) -> dict[str, float]:
    """By how much work took longer than the profile says, per step, of the worker that overran longest.

    `share`: of all the time that the blocks took.
    """
    steps = sum(len(block[0].ends_s) for block in blocks)
    took_s = sum(float(step_ends(block)[-1]) - min(done.start_s for done in block) for block in blocks)
    overrun_s = np.sum([[done.overrun_s for done in block] for block in blocks], axis=0)
    calls = np.sum([[done.overruns for done in block] for block in blocks], axis=0)
    worst = int(np.argmax(overrun_s))
    return {
        "calls_per_step": float(calls[worst]) / steps,
        "s_per_step": float(overrun_s[worst]) / steps,
        "share": float(overrun_s[worst]) / took_s if took_s > 0 else 0.0,
    }


def has_settled(step_s: Sequence[float], period: int) -> bool:
    """Whether the last two periods took the same time, within SETTLED_WITHIN, or the last two pairs of periods.

    Pairs, because workers that wait for each other at unlike distances (a ring of messages over a tree) can take a
    longer and a shorter step in turn for ever.
    """
    return any(_alike(step_s, window) for window in (period, 2 * period))


def _alike(step_s: Sequence[float], window: int) -> bool:
    if len(step_s) < 2 * window:
        return False
    last, previous = np.mean(step_s[-window:]), np.mean(step_s[-2 * window : -window])
    return bool(abs(last - previous) <= SETTLED_WITHIN * previous)


@dataclass(frozen=True, kw_only=True)
class _Visit:
    """What workers did between one preparation of a cell and its end: parts of the cell document."""

    repetitions: list[dict[str, Any]]
    warmup: dict[str, Any]
    bytes: dict[str, Any]
    processor_wait_s: float  # in a step, of the worker that waited most
    workload: dict[str, Any]
    devices: list[str]  # by rank: what each worker computes on


class Measurement:
    """Measures one cell with a group of workers."""

    def __init__(
        self,
        group: WorkerGroup,
        cell: Cell,
        profile: Profile,
        draws: ComputeDraws,
        mean_compute_s: Sequence[float],
        quiet_s: float,
        say: Callable[[str, int], None],
        schedule: LinkSchedule | None = None,
        measuring: AbstractContextManager[object] | None = None,
    ) -> None:
        """`mean_compute_s`: of each worker. `measuring` is entered for the repetitions and the counting of their bytes.

        With a schedule it is entered for warm-ups, too, as every repetition has one.
        """
        self._crew = Crew(group, cell, quiet_s)
        self._cell = cell
        self._profile = profile
        self._draws = draws
        self._mean_compute_s = mean_compute_s
        self._say = say
        self._schedule = schedule
        self._measuring = measuring or nullcontext()
        self._steps = cell.steps
        self._measured: list[list[BlockDone]] = []
        self.trace: dict[str, Any] = {}  # of the last steps that `run` measured: testbed.session.trace

    def run(self, recording: str | None, host_links: HostLinks) -> dict[str, Any]:
        """The cell document, less what only the lab knows (probe, profile, lane)."""
        start_s = time.monotonic()
        numbers = range(self._cell.steps.repetitions)
        # What a schedule leaves in TCP's windows and time-outs is the luck of one repetition: with one, each
        # repetition has connections, a warm-up and a training of its own.
        visits = [[number] for number in numbers] if self._schedule else [list(numbers)]
        with self._measuring if self._schedule else nullcontext():
            found = [self._visit(repetitions, recording, host_links) for repetitions in visits]
        return {
            "repetitions": [repetition for visit in found for repetition in visit.repetitions],
            "warmup": {
                "steps": max(visit.warmup["steps"] for visit in found),
                "settled": all(visit.warmup["settled"] for visit in found),
            },
            "bytes": mean_account([visit.bytes for visit in found]),
            "processor_wait_s": max(visit.processor_wait_s for visit in found),
            "workload": found[0].workload,
            "devices": found[0].devices,
            "overrun": overrun_document(self._measured),
            "emulated_s": time.monotonic() - start_s,
        }

    def _visit(self, repetitions: Sequence[int], recording: str | None, host_links: HostLinks) -> _Visit:
        """From the cell's preparation to its end, with some of its repetitions."""
        if self._schedule:
            self._schedule.set_up(repetitions[0])
        crew, workers = self._crew, self._cell.network.workers
        everyone = crew.prepare([Prepare(self._cell.to_json(), recording, self._profile)] * workers)
        ready = everyone[0]
        self._steps = steps_of(self._cell, ready.samples)
        warmup = self._warm_up(ready.period)
        with nullcontext() if self._schedule else self._measuring:
            before = crew.count()
            measured = [self._repeat(number, ready.period) for number in repetitions]
            counted = crew.explained(before, host_links)
        crew.leave()
        return _Visit(
            repetitions=measured,
            warmup=warmup,
            **counted,
            workload=workload_document(ready, self._cell.gradients),
            devices=[one.device for one in everyone],
        )

    def _warm_up(self, period: int) -> dict[str, Any]:
        """Steps at the mean compute time, a block at a time, until two periods in a row take the same time."""
        for size in _warmup_blocks(self._steps, period):
            compute_s = np.tile(np.reshape(self._mean_compute_s, (-1, 1)), size)
            done = self._block(compute_s, "warm-up")
            if has_settled(np.diff(step_ends(done), prepend=block_start(done)).tolist(), period):
                return {"steps": self._crew.step, "settled": True}
        return {"steps": self._crew.step, "settled": False}

    def _repeat(self, number: int, period: int) -> dict[str, Any]:
        lead_in = _whole_periods(LEAD_IN_STEPS, period)
        compute_s = self._draws(number, _repetition_steps(self._steps, period))
        traced = min(TRACED_STEPS, self._steps.measured) if number == self._steps.repetitions - 1 else 0
        happened: dict[str, Any] = {}
        if self._schedule is None:
            done = self._block(compute_s, "measuring", traced)
        else:
            done = self._block(compute_s, "measuring", traced, self._schedule.timeline())
            happened = self._schedule.record(block_start(done))
            self._schedule.restore()
        self._measured.append(done)
        if traced:
            self.trace = trace_document(done, self._crew.step)
        return repetition_document(done, lead_in) | happened

    def _block(
        self, compute_s: npt.NDArray[np.float64], phase: str, traced: int = 0, timeline: Timeline | None = None
    ) -> list[BlockDone]:
        self._say(phase, self._crew.step)
        return self._crew.take(compute_s, traced, timeline)


def merge_document(cell: Cell, measured: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """The whole cell document of docs/architecture.md."""
    return {"schema": 1, "cell": cell.to_json(), "status": "ok", "reason": "", **measured, **more}
