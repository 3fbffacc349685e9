"""Losses against emulated time: what is drawn, and what is judged."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import reports
from reports import canvas, curves, emulated_curves
from reports.claims import Target, Untested
from reports.emulated import emulated, epochs_until, speedup, until
from reports.training import Course
from tests.reports.test_training import FIGURE_2A, PROVENANCE, table

NETWORK: Mapping[str, Any] = {
    "cell": "c", "lab": "virtual", "containers": None, "topology": "star", "arity": None, "trunk_bit_per_s": math.nan,
    "jitter_s": 0.0, "packet_loss": 0.0, "slow_start_after_idle": False, "straggler": "none", "schedule": "none",
    "emulated_device": "k80", "compute_scale": 1.0,
}  # fmt: skip
GOOD, BAD = (1.4e9, 0.13e-3), (5e6, 20e-3)


def timed(frame: pd.DataFrame, epochs_s: Mapping[tuple[float, float], Mapping[str, float]], **network: Any):
    """The table's rows once for each network, with an epoch's time by algorithm there."""
    parts = []
    for (bandwidth, latency), by_algorithm in epochs_s.items():
        part = frame.assign(**{**NETWORK, **network}, bandwidth_bit_per_s=bandwidth, latency_s=latency)
        part["epoch_s"] = part["algorithm"].map(by_algorithm)
        part["epoch_ci95_s"] = part["epoch_s"] / 100
        part["emulated_s"] = part["epoch"] * part["epoch_s"]
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


TIMES = {GOOD: {"allreduce": 10.0, "d-psgd": 9.0}, BAD: {"allreduce": 400.0, "d-psgd": 100.0}}


def two(last: float = 0.5) -> pd.DataFrame:
    return timed(table({"algorithm": "allreduce"}, {"algorithm": "d-psgd", "last": last}), TIMES)


def test_a_training_with_times_has_an_epoch_by_network_and_system():
    (shown,) = emulated(two())
    assert list(shown.epoch_s) == [GOOD, BAD]
    assert {system.algorithm: epoch.value for system, epoch in shown.epoch_s[BAD].items()} == TIMES[BAD]
    assert "star, device k80" in shown.times


def test_a_training_without_times_has_none():
    assert emulated(table(*FIGURE_2A)) == []
    assert emulated(table(*FIGURE_2A).assign(emulated_s=math.nan)) == []


def test_networks_of_other_topologies_are_apart():
    frame = two()
    found = emulated(pd.concat([frame, frame.assign(topology="ring")]))
    assert [shown.name for shown in found] == ["resnet20, 8 workers, ring", "resnet20, 8 workers, star"]


def test_a_curve_lies_at_the_ends_of_epochs_on_its_network():
    (shown,) = emulated(two())
    with canvas.style():
        figure = emulated_curves.draw(shown, curves.TRAIN_LOSS, {"good": GOOD, "bad": BAD}, title="one")
    assert figure is not None
    assert [ax.get_title(loc="left") for ax in figure.axes] == ["good", "bad"]
    lines = {line.get_label(): list(np.asarray(line.get_xdata())) for line in figure.axes[1].lines}
    assert lines == {"allreduce fp32": [400, 800, 1200, 1600], "d-psgd fp32": [100, 200, 300, 400]}
    legend = figure.axes[0].get_legend()
    assert legend is not None and [text.get_text() for text in legend.get_texts()] == list(lines)


def test_many_networks_fill_several_figures():
    frame = table({"algorithm": "allreduce"})
    networks = {(rate * 1e6, 1e-3): {"allreduce": 1.0} for rate in range(1, emulated_curves.MOST_PANELS + 2)}
    (shown,) = emulated(timed(frame, networks))
    with canvas.style():
        figures = list(emulated_curves.figures(shown, curves.TRAIN_LOSS, "many"))
    assert [len(figure.axes) for figure in figures] == [emulated_curves.MOST_PANELS, 1]


def test_a_report_shows_losses_against_time_where_there_are_times(tmp_path):
    files = reports.write_training(two(), PROVENANCE, tmp_path)
    assert "time-resnet20-8-workers-1.png" in {file.name for file in files}
    assert "Against emulated time" in files[0].read_text()


def course(*losses: float) -> Course:
    rows = [{"epoch": epoch, "train_loss": loss} for epoch, loss in enumerate(losses, 1)]
    return Course(epochs={1: rows}, status={1: "ok"}, diverged={})


@pytest.mark.parametrize(("loss", "epochs"), [(3.0, 1), (2.0, 1), (1.5, 1.5), (1.0, 2), (0.25, 4.5), (0.1, math.nan)])
def test_a_loss_is_reached_on_straight_lines_between_epochs(loss, epochs):
    assert epochs_until(course(2.0, 1.0, 0.5, 0.4, 0.1 + 1e-12), 1, loss) == pytest.approx(epochs, nan_ok=True)


@given(st.lists(st.floats(0.01, 10), min_size=1, max_size=8), st.floats(0.01, 10), st.floats(0.01, 10))
def test_a_lower_loss_is_never_reached_earlier(losses, one, other):
    low, high = sorted((one, other))
    late, early = (epochs_until(course(*losses), 1, loss) for loss in (low, high))
    assert math.isnan(late) or 1 <= early <= late <= len(losses)


def test_time_to_the_same_loss_is_epochs_times_their_time():
    (shown,) = emulated(two())
    ours, other = (shown.training.of(name) for name in ("d-psgd", "allreduce"))
    assert ours and other
    found = until(shown, BAD, ours, other, Target(high=0.8))
    assert found.measured.value == pytest.approx(0.25) and str(found.verdict) == "agree"
    (behind,) = emulated(two(last=0.8))  # reaches 0.8 at its end; allreduce earlier
    assert until(behind, BAD, ours, other, Target()).measured.low > 0.25
    assert speedup(shown, BAD, ours, other, Target()).measured.value == pytest.approx(4)


def test_what_was_not_measured_is_not_judged():
    (shown,) = emulated(two())
    ours, other = (shown.training.of(name) for name in ("d-psgd", "allreduce"))
    assert ours and other
    with pytest.raises(Untested, match=r"no time of d-psgd fp32 at 1 Gbit/s, 20 ms was measured"):
        until(shown, (1e9, 20e-3), ours, other, Target())
    (slow,) = emulated(timed(table({"algorithm": "allreduce", "last": 1.5}, {"algorithm": "d-psgd"}), TIMES))
    with pytest.raises(Untested, match="the loss of allreduce fp32 is still"):
        until(slow, BAD, ours, other, Target())


def test_a_system_that_diverged_never_gets_there():
    frame = timed(table({"algorithm": "allreduce"}, {"algorithm": "d-psgd", "last": None}), TIMES)
    (shown,) = emulated(frame)
    ours, other = (shown.training.of(name) for name in ("d-psgd", "allreduce"))
    assert ours and other
    assert math.isinf(until(shown, BAD, ours, other, Target()).measured.value)
