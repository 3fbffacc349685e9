"""Schedules and stragglers in a sweep file: what they resolve to, how they are refused, matched and worded."""

from __future__ import annotations

from pathlib import Path

import pytest

from testbed.cell import Change, OwnLinks, SlowWorker
from testbed.errors import UserError
from testbed.specification import Plan, load_plan, select
from testbed.specification.wording import describe

BASE = "workers: 4\nbandwidth: 20 Mbit/s\nlatency: 2 ms\nalgorithm: allreduce\n"
SCHEDULE = """schedule:
  - {at: 3 s, bandwidth: 10 Mbit/s}
  - {at: 5 s, loss: 1 %, jitter: 0.1 ms}
  - {at: 8 s, down: 2 s, links: 3}
  - {at: 12 s, latency: 20 ms, links: 0}
"""
SWEEPS = Path(__file__).parents[3] / "sweeps"


@pytest.fixture
def plan_of(tmp_path: Path):
    """With the catalogue of this installation, which looks at what links are to do."""

    def plan(text: str) -> Plan:
        path = tmp_path / "trial.yaml"
        path.write_text(BASE + text)
        return load_plan(path, lambda: "virtual")

    return plan


def test_a_schedule_is_one_value_of_every_cell(plan_of) -> None:
    first, second = plan_of(SCHEDULE + "seed: [1, 2]\n").cells
    assert first.schedule == second.schedule == (
        Change(at_s=3.0, bandwidth_bit_per_s=10e6),
        Change(at_s=5.0, loss=0.01, jitter_s=1e-4),
        Change(at_s=8.0, down_s=2.0, worker=3),
        Change(at_s=12.0, latency_s=20e-3, worker=0),
    )  # fmt: skip


def test_an_include_block_may_have_another_schedule_or_none(plan_of) -> None:
    cells = plan_of(SCHEDULE + "include:\n  - schedule: [{at: 1 s, loss: 2 %}]\n  - {schedule: [], seed: 2}\n").cells
    assert [len(cell.schedule) for cell in cells] == [4, 1, 0]


def test_a_straggler_is_slow_itself_or_behind_slow_links(plan_of) -> None:
    cells = plan_of(
        "straggler: [none, {worker: 3, compute: 2}, {worker: 1, bandwidth: 5 Mbit/s, latency: 10 ms}, "
        "{worker: 2, compute: 1.5, bandwidth: 5 Mbit/s}]\n"
    ).cells
    assert [cell.slow_worker for cell in cells] == [
        None,
        SlowWorker(worker=3, compute=2.0),
        None,
        SlowWorker(worker=2, compute=1.5),
    ]
    assert [cell.network.own_links for cell in cells] == [
        (),
        (),
        (OwnLinks(worker=1, bandwidth_bit_per_s=5e6, latency_s=10e-3),),
        (OwnLinks(worker=2, bandwidth_bit_per_s=5e6),),
    ]
    assert len({cell.network for cell in cells}) == 3  # a slow worker needs no other network


def test_cells_are_told_apart_in_words(plan_of) -> None:
    cells = plan_of(SCHEDULE + "straggler: [none, {worker: 3, compute: 2, bandwidth: 5 Mbit/s}]\n").cells
    changes = "schedule 3 s: 10 Mbit/s; 5 s: jitter 0.1 ms, loss 1 %; 8 s: worker 3 down 2 s; "
    plain, slow = (describe(cell) for cell in cells)
    assert plain == f"star, 4 workers, 20 Mbit/s, 2 ms, allreduce fp32, {changes}12 s: worker 0 latency 20 ms"
    assert "straggler worker 3: compute x2, 5 Mbit/s, schedule" in slow


def test_stragglers_and_schedules_are_selected(plan_of) -> None:
    plan = plan_of(
        SCHEDULE + "straggler: [none, {worker: 3, compute: 2}, {worker: 3, compute: 3}]\n"
        "include: [{schedule: []}]\nexclude: [{straggler: {worker: 3, compute: 3}}]\n"
    )
    assert [cell.slow_worker and cell.slow_worker.compute for cell in plan.cells] == [None, 2.0, None, 2.0, 3.0]
    assert len(select(plan.cells, ["straggler=none"])) == 2
    assert len(select(plan.cells, ["straggler={worker: 3, compute: 2}", "schedule=[]"])) == 1
    assert [len(cell.schedule) for cell in select(plan.cells, ["schedule=[]"])] == [0, 0, 0]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("schedule: 3 s\n", "schedule is '3 s': it must be a list of mappings"),
        ("schedule: [{at: 3 s, bandwith: 1 Mbit/s}]\n", "unknown key schedule[0].bandwith: did you mean bandwidth?"),
        ("schedule: [{loss: 1 %}]\n", "schedule[0].at is missing"),
        ("schedule: [{at: -1 s, loss: 1 %}]\n", "schedule[0].at '-1 s' is negative"),
        ("schedule: [{at: 3, loss: 1 %}]\n", "schedule[0].at 3 is not a number with a unit"),
        ("schedule: [{at: 1 s, loss: 1 %}, {at: 1 s, loss: 2 %}]\n", "schedule has 1 s after 1 s: its times must"),
        ("schedule: [{at: 2 s, loss: 1 %}, {at: 1 s, loss: 2 %}]\n", "schedule has 1 s after 2 s: its times must"),
        ("schedule: [{at: 1 s}]\n", "schedule[0] at 1 s changes nothing: give bandwidth"),
        ("schedule: [{at: 1 s, down: 1 s, loss: 1 %}]\n", "schedule[0] at 1 s has down beside loss"),
        ("schedule: [{at: 1 s, down: 0 s}]\n", "schedule[0].down '0 s' is not above zero"),
        ("schedule: [{at: 1 s, down: 121 s}]\n", "schedule[0].down '121 s' is above 120 s"),
        ("schedule: [{at: 1 s, loss: 100 %}]\n", "schedule[0].loss '100 %' is outside"),
        ("schedule: [{at: 1 s, loss: 1 %, links: 4}]\n", "schedule: links is 4, but the ranks of 4 workers are 0 to 3"),
        ("schedule: [{at: 1 s, loss: 1 %, links: -1}]\n", "schedule[0].links -1 is neither `all` nor the rank"),
        ("schedule: [{at: 1 s, loss: 1 %, links: true}]\n", "schedule[0].links True is neither `all` nor the rank"),
        ("schedule: [{at: 1 s, loss: 1 %}, {at: 2 s, jitter: 1 ms}]\n", "schedule[1], at 2 s: jitter 0.001 s"),
        ("schedule: [{at: 1 s, latency: 0.1 ms, links: 1}]\n", "schedule[0], at 1 s: latency 0.0001 s to one worker"),
        ("schedule: [{at: 1 s, bandwidth: 99 Gbit/s}]\n", "schedule[0], at 1 s: bandwidth 9.9e+10 bit/s exceeds"),
        (
            "schedule: [{at: 1 s, loss: 1 %}]\nsteps: {repetitions: 33}\n",
            "repetitions is 33, but a cell with",
        ),
        ("include: [{schedule: [{at: 1 s}]}]\n", "include[0].schedule[0] at 1 s changes nothing"),
        ("straggler: slow\n", "straggler 'slow' is neither `none` nor a mapping"),
        ("straggler: {worker: 3}\n", "straggler names worker 3 and no more: give compute, bandwidth or latency"),
        ("straggler: {compute: 2}\n", "straggler.worker is missing"),
        ("straggler: {worker: 4, compute: 2}\n", "straggler: worker is 4, but the ranks of 4 workers are 0 to 3"),
        ("straggler: {worker: 4, latency: 3 ms}\n", "straggler: worker is 4, but the ranks of 4 workers are 0 to 3"),
        ("straggler: {worker: 1, compute: 1}\n", "straggler.compute is 1: it must be above 1"),
        ("straggler: {worker: 1, compute: .inf}\n", "straggler.compute is inf"),
        ("straggler: {worker: 1, compte: 2}\n", "unknown key straggler.compte: did you mean compute?"),
        ("straggler: {worker: 1, bandwidth: 1 Gbit/s}\n", "straggler: bandwidth is 1 Gbit/s, above the 20 Mbit/s"),
        ("straggler: {worker: 1, latency: 1 ms}\n", "straggler: latency is 1 ms, below the 2 ms"),
    ],
)
def test_a_mistake_is_one_sentence(plan_of, text: str, words: str) -> None:
    with pytest.raises(UserError) as caught:
        plan_of(text)
    assert words in str(caught.value)
    assert "trial.yaml" in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("lab", ["virtual", "host"])
def test_the_shipped_sweep_has_both(lab: str) -> None:
    plan = load_plan(SWEEPS / "dynamic.yaml", lambda: "virtual", lab=lab)
    assert (plan.name, len(plan.cells), list(plan.warnings)) == ("dynamic", 12, [])
    assert sum(bool(cell.schedule) for cell in plan.cells) == 3
    assert sum(cell.slow_worker is not None for cell in plan.cells) == 3
    assert sum(bool(cell.network.own_links) for cell in plan.cells) == 3
