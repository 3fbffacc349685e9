"""Composed and measured times beside each other, from tables whose answer is known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from reports import canvas
from reports.claims import Verdict
from reports.pages.composed_direct import TRAINING_PAGE, draw, pairs

EPOCH_S = {"allreduce": 10.0, "d-psgd": 4.0}


def row(algorithm: str, epoch: int, timing: str | None, slower: float = 1.0) -> dict[str, Any]:
    measured = timing == "measured"
    place = {
        "lab": "virtual", "topology": "star", "arity": None, "bandwidth_bit_per_s": 20e6, "trunk_bit_per_s": None,
        "latency_s": 5e-3, "jitter_s": 0.0, "packet_loss": 0.0, "slow_start_after_idle": False, "straggler": "none",
        "schedule": "none", "emulated_device": "k80", "compute_scale": 1.0, "containers": "none",
    }  # fmt: skip
    return {
        "trial": f"{algorithm} {timing == 'measured'}", "workload": "resnet20", "workload_options": "{}", "workers": 4,
        "batch_size": 16, "partition": "partitioned", "epochs_declared": 3, "rate_schedule": "{}", "device": "cpu",
        "dataset": "fashion-mnist", "samples": 1536, "held_out_samples": 256, "metric_name": "accuracy",
        "algorithm": algorithm, "codec": "fp32", "seed": 1, "epoch": epoch, "status": "ok", "metric": 0.5,
        "train_loss": 2.0 / epoch, "held_out_loss": 2.0 / epoch, "timing": timing,
        **(dict.fromkeys(place) if timing is None else place),
        "emulated_s": None if timing is None else epoch * EPOCH_S[algorithm] * (slower if measured else 1.0),
    }  # fmt: skip


def table(slower: dict[str, float], timings: tuple[str | None, ...] = ("composed", "measured")) -> pd.DataFrame:
    rows = [
        row(algorithm, epoch, timing, factor)
        for algorithm, factor in slower.items()
        for timing in timings
        for epoch in (1, 2, 3)
    ]
    return pd.DataFrame(rows)


@pytest.mark.parametrize(
    ("slower", "verdict"), [(1.0, "agree"), (1.019, "agree"), (1.021, "disagree"), (0.97, "disagree")]
)
def test_ends_within_two_percent_agree(slower: float, verdict: str) -> None:
    (pair,) = pairs(table({"allreduce": slower}))
    assert pair.ratio == pytest.approx(slower) and pair.verdict == verdict
    assert pair.ends_s == pytest.approx((30.0, 30.0 * slower))


def test_other_losses_disagree_at_the_same_time() -> None:
    frame = table({"allreduce": 1.0})
    frame.loc[(frame["timing"] == "measured") & (frame["epoch"] == 2), "train_loss"] += 1e-9
    (pair,) = pairs(frame)
    assert not pair.same_losses and pair.verdict is Verdict.DISAGREE


def test_the_page_counts_verdicts_and_names_the_farthest() -> None:
    content = TRAINING_PAGE.build(table({"allreduce": 1.01, "d-psgd": 0.9}))
    assert content is not None
    assert content.summary.startswith("2 trainings both ways: 1 agree") and content.summary.endswith("apart: 0.9000.")
    assert [cells[-1] for cells in content.grids[0].rows] == ["agree", "disagree"]
    assert content.grids[0].rows[0][:3] == ["star of 4, 20 Mbit/s, 5 ms", "allreduce fp32", "1"]


@pytest.mark.parametrize("timings", [("composed",), ("measured",), (None,)])
def test_there_is_no_page_where_one_way_is_missing(timings: tuple[str | None, ...]) -> None:
    assert TRAINING_PAGE.build(table({"allreduce": 1.0}, timings)) is None
    assert TRAINING_PAGE.build(table({"allreduce": 1.0}).drop(columns="timing")) is None


def test_another_network_is_another_training() -> None:
    frame = table({"allreduce": 1.0})
    frame.loc[frame["timing"] == "composed", "latency_s"] = 1e-3
    assert list(pairs(frame)) == []


def test_lines_are_composed_and_circles_measured() -> None:
    found = list(pairs(table({"allreduce": 1.5, "d-psgd": 1.0})))
    with canvas.style():
        (ax,) = draw(found, [found[0].place], "size").axes
    composed, measured, *_ = ax.get_lines()
    assert np.array_equal(composed.get_xdata(), [10.0, 20.0, 30.0]) and composed.get_linestyle() != "None"
    assert np.array_equal(measured.get_xdata(), [15.0, 30.0, 45.0]) and measured.get_linestyle() == "None"
    assert np.array_equal(measured.get_ydata(), [2.0, 1.0, 2 / 3])
