"""Links that change and workers that are slow, in the host lab. Bounds are wide: the machine may be busy."""

from __future__ import annotations

import dataclasses
import tempfile
import threading
from collections.abc import Sequence
from itertools import accumulate
from statistics import fmean, median
from typing import Any

import pytest

from testbed.cell import Cell, Change, Network, OwnLinks, SlowWorker, Steps
from testbed.labs.host import requirements
from testbed.labs.host.lab import HostLab
from testbed.labs.lab import CellFailed, CellFinished, Event
from testbed.results import documents

LACK = requirements.missing(requirements.lacks())

pytestmark = [
    pytest.mark.host,
    pytest.mark.timeout(280),
    pytest.mark.skipif(LACK is not None, reason=str(LACK)),
]

FAST, SLOW = 20e6, 4e6
DOWN_S = 1.0
STEPS = Steps(measured=16, repetitions=1)


def cell(schedule: Sequence[Change] = (), **more: Any) -> Cell:
    network = Network(
        topology=more.pop("topology", "star"),
        workers=3,
        bandwidth_bit_per_s=FAST,
        latency_s=10e-3,
        queue_bytes=2**20,
        own_links=tuple(more.pop("own_links", ())),
    )
    values: dict[str, Any] = {
        "lab": "host", "algorithm": "allreduce", "codec": "fp32", "graph": "ring", "workload": "vector-25000",
        "batch_size": 1, "device": "instant", "gradients": "none", "steps": Steps(repetitions=1),
    }  # fmt: skip
    return Cell(**values | {"network": network, "schedule": tuple(schedule)} | more)


CELLS = {
    "rate": cell([Change(at_s=0.6, bandwidth_bit_per_s=SLOW)], steps=Steps(measured=18, repetitions=2)),
    "fast": cell(),
    "down": cell([Change(at_s=0.4, worker=1, down_s=DOWN_S)], steps=STEPS),
    "ring down": cell([Change(at_s=0.4, worker=1, down_s=DOWN_S)], steps=STEPS, topology="ring"),
    "loss": cell([Change(at_s=0.1, loss=0.05)], steps=Steps(measured=20, repetitions=1)),
    "slow link": cell(own_links=[OwnLinks(worker=1, bandwidth_bit_per_s=SLOW, latency_s=40e-3)]),
}


@pytest.fixture(scope="module")
def found(even_device: str) -> dict[str, dict[str, Any]]:
    """The documents of all cells."""
    even = cell(device=even_device)
    cells = CELLS | {
        "even": even,
        "slow worker": dataclasses.replace(even, slow_worker=SlowWorker(worker=2, compute=4)),
    }
    events: list[Event] = []
    with tempfile.TemporaryDirectory(prefix="gradwire-test-") as name, pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_RUNTIME_DIR", name)
        lab = HostLab()
        lab.prepare(list(cells.values()), lambda text: None)
        lab.run(list(cells.values()), events.append, threading.Event(), jobs=1)
    assert [event.reason for event in events if isinstance(event, CellFailed)] == []
    finished = {event.cell_id: event.measurement for event in events if isinstance(event, CellFinished)}
    return {name: documents.finished(one, finished[one.id]) for name, one in cells.items()}


def spans(repetition: dict[str, Any]) -> list[tuple[float, float, float]]:
    """Of each step: when it began and ended, and how long it took."""
    edges = list(accumulate(repetition["step_s"], initial=repetition["begins_s"]))
    return list(zip(edges, edges[1:], repetition["step_s"], strict=False))


def steps_s(document: dict[str, Any]) -> list[float]:
    return [step for repetition in document["repetitions"] for step in repetition["step_s"]]


def test_changes_are_applied_soon_after_their_time(found: dict[str, dict[str, Any]]) -> None:
    for name in ("rate", "down", "ring down", "loss"):
        for repetition in found[name]["repetitions"]:
            for moment in repetition["changes"]:
                assert moment["at_s"] - 0.1 < moment["applied_s"] < moment["at_s"] + 1.0


def test_steps_are_slower_after_the_rate_fell(found: dict[str, dict[str, Any]]) -> None:
    # 25,000 values of 4 bytes, of which each worker sends 4/3, with headers.
    least_s = {rate: 25_000 * 4 * 4 / 3 * 8 * 1514 / 1448 / rate for rate in (FAST, SLOW)}
    for repetition in found["rate"]["repetitions"]:
        (moment,) = repetition["changes"]
        before = [took_s for _, end_s, took_s in spans(repetition) if end_s < moment["at_s"]]
        after = [took_s for begin_s, _, took_s in spans(repetition) if begin_s > moment["applied_s"]]
        assert before and len(after) >= 5
        assert least_s[FAST] < min(before) < 2.5 * least_s[FAST]
        assert 0.97 * least_s[SLOW] < median(after) < 1.5 * least_s[SLOW]


@pytest.mark.parametrize("name", ["down", "ring down"])
def test_links_that_are_down_make_the_step_under_way_longer(found: dict[str, dict[str, Any]], name: str) -> None:
    for repetition in found[name]["repetitions"]:
        usual_s = median(repetition["step_s"])
        assert DOWN_S < max(repetition["step_s"]) - usual_s + 0.1 < 2 * DOWN_S + 2.0
        assert sum(took_s > 0.7 * DOWN_S for took_s in repetition["step_s"]) == 1
        assert repetition["dropped"] > 0


def test_loss_is_counted_and_made_good(found: dict[str, dict[str, Any]]) -> None:
    (repetition,) = found["loss"]["repetitions"]
    assert repetition["dropped"] > 0
    assert found["loss"]["bytes"]["retransmitted_per_step"] > 0
    assert found["loss"]["bytes"]["declared_per_step"] == found["loss"]["bytes"]["handed_per_step"]
    assert found["fast"]["delays"]["dropped"] == 0


def test_a_slow_worker_makes_all_wait_for_its_compute(found: dict[str, dict[str, Any]]) -> None:
    extra_s = median(steps_s(found["slow worker"])) - median(steps_s(found["even"]))
    assert 0.7 * 3 * 0.05 < extra_s < 2 * 3 * 0.05
    compute_s = [fmean(one["repetitions"][0]["compute_s"]) for one in (found["even"], found["slow worker"])]
    assert compute_s[1] - compute_s[0] == pytest.approx(0.05, rel=0.3)  # three times as much more, at one of three


def test_a_slow_link_shows_in_the_probe_and_in_the_step(found: dict[str, dict[str, Any]]) -> None:
    rows = {(row["what"], row["source"], row["target"]): row for row in found["slow link"]["probe"]["detail"]}
    assert rows["rtt", 2, 0]["set"] == pytest.approx(10e-3)
    for pair in ((0, 1), (1, 2)):  # to the straggler, and from it
        assert rows["rtt", *pair]["set"] == pytest.approx(40e-3)
        assert 40e-3 < rows["rtt", *pair]["measured"] + 2e-3 < 100e-3
        assert rows["goodput alone", *pair]["measured"] < 1.02 * rows["goodput alone", *pair]["expected"] < SLOW
    assert median(steps_s(found["slow link"])) > 2.5 * median(steps_s(found["fast"]))
