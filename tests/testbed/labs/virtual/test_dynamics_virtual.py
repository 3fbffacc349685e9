"""Links that change and workers that are slow, in the virtual lab: one guest measures all cells, then tests look."""

from __future__ import annotations

import dataclasses
import tempfile
import threading
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest

from testbed.cell import Cell, Change, Network, OwnLinks, SlowWorker, Steps
from testbed.labs.lab import CellFailed, CellFinished, Event
from testbed.labs.virtual.lab import VirtualLab
from testbed.results import documents

pytestmark = [pytest.mark.virtual, pytest.mark.timeout(240), pytest.mark.usefixtures("built_kernel")]

WORKERS = 3
FAST, SLOW = 50e6, 10e6
DOWN_S = 2.0
ALIKE = 0.005  # two runs of the same steps
STEPS = Steps(measured=20)


def cell(schedule: Sequence[Change] = (), **more: Any) -> Cell:
    network = Network(
        topology=more.pop("topology", "star"),
        workers=WORKERS,
        bandwidth_bit_per_s=more.pop("rate", FAST),
        latency_s=1e-3,
        queue_bytes=2**20,
        own_links=tuple(more.pop("own_links", ())),
    )
    values: dict[str, Any] = {
        "lab": "virtual", "algorithm": "allreduce", "codec": "fp32", "graph": "ring", "workload": "vector-25000",
        "batch_size": 1, "device": "instant", "gradients": "none",
    }  # fmt: skip
    return Cell(**values | {"network": network, "schedule": tuple(schedule)} | more)


STRAGGLER = OwnLinks(worker=1, bandwidth_bit_per_s=SLOW, latency_s=5e-3)
CELLS = {
    "rate": cell([Change(at_s=0.2, bandwidth_bit_per_s=SLOW)], steps=STEPS),
    "fast": cell(),
    "down": cell([Change(at_s=0.2, worker=1, down_s=DOWN_S)], steps=STEPS),
    "ring down": cell([Change(at_s=0.2, worker=1, down_s=DOWN_S)], steps=STEPS, topology="ring"),
    "loss": cell([Change(at_s=0.2, loss=0.03), Change(at_s=1.2, loss=0.0)], steps=Steps(measured=60)),
    "late": cell([Change(at_s=0.1, latency_s=20e-3, worker=0), Change(at_s=1e3, loss=0.1)]),
    "fast again": cell(seed=2),
    "slow": cell(rate=SLOW),
    "slow link": cell(own_links=[STRAGGLER]),
}


@pytest.fixture(scope="module")
def found(built_kernel: Path, even_device: str) -> dict[str, dict[str, Any]]:
    """The documents of all cells."""
    even = cell(device=even_device)
    cells = CELLS | {
        "even": even,
        "slow worker": dataclasses.replace(even, slow_worker=SlowWorker(worker=2, compute=3)),
    }
    events: list[Event] = []
    with tempfile.TemporaryDirectory(prefix="gradwire-test-") as name, pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_RUNTIME_DIR", name)
        VirtualLab().run(list(cells.values()), events.append, threading.Event(), jobs=1)
    assert [event.reason for event in events if isinstance(event, CellFailed)] == []
    finished = {event.cell_id: event.measurement for event in events if isinstance(event, CellFinished)}
    return {name: documents.finished(one, finished[one.id]) for name, one in cells.items()}


def spans(repetition: dict[str, Any]) -> list[tuple[float, float, float]]:
    """Of each step: when it began and ended, and how long it took."""
    edges = list(accumulate(repetition["step_s"], initial=repetition["begins_s"]))
    return list(zip(edges, edges[1:], repetition["step_s"], strict=False))


def step_s(document: dict[str, Any]) -> float:
    """The mean step."""
    return fmean(step for repetition in document["repetitions"] for step in repetition["step_s"])


def applied_s(repetition: dict[str, Any]) -> list[float | None]:
    return [moment["applied_s"] for moment in repetition["changes"]]


def test_changes_are_applied_on_time_in_every_repetition(found: dict[str, dict[str, Any]]) -> None:
    for name in ("rate", "down", "loss", "late"):
        assert len(found[name]["repetitions"]) == 3
        for repetition in found[name]["repetitions"]:
            for moment in repetition["changes"]:
                if moment["at_s"] < 1e3:
                    assert moment["at_s"] <= moment["applied_s"] < moment["at_s"] + 1e-3
    down = found["down"]["repetitions"][0]["changes"]
    assert [(moment["at_s"], moment["ends"]) for moment in down] == [(0.2, False), (0.2 + DOWN_S, True)]


def test_steps_before_a_change_are_the_old_networks_and_after_it_the_new_ones(found: dict[str, dict[str, Any]]) -> None:
    fast_s, slow_s = step_s(found["fast"]), step_s(found["slow"])
    assert slow_s > 4 * fast_s
    for repetition in found["rate"]["repetitions"]:
        before = [took_s for _, end_s, took_s in spans(repetition) if end_s < 0.2]
        after = [took_s for begin_s, _, took_s in spans(repetition)[:-1] if begin_s > 0.2]
        assert len(before) >= 3 and len(after) >= 5
        assert before == pytest.approx([fast_s] * len(before), rel=ALIKE)
        # Acknowledgements and windows are those of a connection that was faster: a little less alike.
        assert after == pytest.approx([slow_s] * len(after), rel=0.01)


@pytest.mark.parametrize("name", ["down", "ring down"])
def test_links_that_are_down_make_the_step_under_way_longer_and_no_other(
    found: dict[str, dict[str, Any]], name: str
) -> None:
    for repetition in found[name]["repetitions"]:
        usual_s = repetition["step_s"][0]
        longest_s = max(repetition["step_s"])
        hit = repetition["step_s"].index(longest_s)
        others = [*repetition["step_s"][:hit], *repetition["step_s"][hit + 2 :]]
        # TCP tries again after 0.2 s, and each time after as long as it has waited already: at most twice the outage.
        assert DOWN_S < longest_s - usual_s < 2 * DOWN_S + 0.5
        assert repetition["step_s"][hit + 1] < 3 * usual_s  # windows grow again
        assert others == pytest.approx([usual_s] * len(others), rel=0.05)
        assert repetition["dropped"] > 0


def test_loss_is_counted_costs_time_and_is_over_when_it_ends(found: dict[str, dict[str, Any]]) -> None:
    fast_s = step_s(found["fast"])
    drops = []
    for repetition in found["loss"]["repetitions"]:
        during = [took_s for begin_s, end_s, took_s in spans(repetition) if end_s > 0.2 and begin_s < 1.2]
        # Windows grow again in a step or two, which ones depends on what was lost last.
        last = [took_s for begin_s, _, took_s in spans(repetition) if begin_s > 1.7][3:]
        assert fmean(during) > 1.3 * fast_s
        assert last and last == pytest.approx([fast_s] * len(last), rel=0.02)
        drops.append(repetition["dropped"])
    assert min(drops) > 0 and len(set(drops)) > 1  # each repetition has draws of its own
    assert found["loss"]["bytes"]["retransmitted_per_step"] > 0
    assert found["fast"]["delays"] == {"backend": "netem", "dropped": 0}


def test_a_change_that_is_not_reached_is_said(found: dict[str, dict[str, Any]]) -> None:
    for repetition in found["late"]["repetitions"]:
        first, second = applied_s(repetition)
        assert first is not None and second is None


def test_every_byte_is_explained_with_a_schedule_too(found: dict[str, dict[str, Any]]) -> None:
    for name in ("rate", "down", "loss"):
        counted = found[name]["bytes"]
        assert counted["declared_per_step"] == counted["handed_per_step"] > 0
        assert abs(counted["interface"]["unexplained"]) < 1e-3 * counted["interface"]["total"]


def test_cells_after_a_schedule_are_as_those_before_it(found: dict[str, dict[str, Any]]) -> None:
    assert step_s(found["fast again"]) == pytest.approx(step_s(found["fast"]), rel=ALIKE)
    assert all("changes" not in repetition for repetition in found["fast again"]["repetitions"])


def test_a_slow_worker_makes_all_wait_for_its_compute(found: dict[str, dict[str, Any]]) -> None:
    even, slow = found["even"], found["slow worker"]
    assert step_s(slow) - step_s(even) == pytest.approx(2 * 0.05, rel=0.01)
    means = [fmean(one["repetitions"][0]["compute_s"]) for one in (even, slow)]
    assert means == pytest.approx([0.05, 0.05 * (1 + 1 + 3) / WORKERS], rel=0.01)


def test_a_slow_link_shows_in_the_probe_and_in_the_step(found: dict[str, dict[str, Any]]) -> None:
    probe = found["slow link"]["probe"]
    assert probe["faithful"], probe
    rows = {(row["what"], row["source"], row["target"]): row for row in probe["detail"]}
    assert rows["rtt", 2, 0]["set"] == pytest.approx(1e-3)
    for pair in ((0, 1), (1, 2)):  # to the straggler, and from it
        assert rows["rtt", *pair]["set"] == pytest.approx(5e-3)
        assert rows["goodput alone", *pair]["set"] == SLOW
    assert probe["goodput_expected_bit_per_s"] == pytest.approx(FAST * 1448 / 1514)  # not the straggler's
    # All have to wait for the bytes that its link carries, about as if all links were so slow.
    assert step_s(found["slow link"]) == pytest.approx(step_s(found["slow"]), rel=0.15)
    assert step_s(found["slow link"]) > 4 * step_s(found["fast"])
