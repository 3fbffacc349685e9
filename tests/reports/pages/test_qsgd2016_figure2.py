from __future__ import annotations

import math

import pandas as pd
import pytest

import reports
from reports.claims import Verdict
from reports.pages import Content
from reports.pages import qsgd2016_figure2 as page
from reports.scaling import scalings
from tests.reports.conftest import make_table, where

SYSTEMS = (("allreduce", "fp32"), ("onebit", "onebit"), ("qsgd", "qsgd"))
STEPS = 200
PER_SAMPLE_S, PER_STEP_S, APPLY_S = 1e-5, 1e-3, 2e-3  # 2e-3 as in the rows of make_table
STEP_S = {"allreduce": 20e-3, "onebit": 8e-3, "qsgd": 5e-3}


def table(**steps_s: float) -> pd.DataFrame:
    """A run in which a step takes what is given, on 2 workers, and half of that on 4."""
    found = []
    for workers, batch_size in ((2, 128), (4, 64)):
        one = make_table(systems=SYSTEMS, bandwidths=(page.AT[0],), latencies=(page.AT[1],), workers=workers)
        one = one.assign(workload="mlp-4096", batch_size=batch_size, steps_per_epoch=STEPS, epoch_ci95_s=0.01)
        one["compute_s"] = PER_STEP_S + PER_SAMPLE_S * batch_size
        for algorithm, step_s in (STEP_S | steps_s).items():
            one.loc[where(one, algorithm=algorithm), "epoch_s"] = STEPS * step_s * 2 / workers
        found.append(one)
    return pd.concat(found, ignore_index=True)


def built(frame: pd.DataFrame) -> Content:
    content = page.build(frame)
    assert content is not None
    return content


def verdicts(frame: pd.DataFrame) -> list[Verdict]:
    return [claim.verdict for claim in built(frame).claims]


def test_faster_than_sgd_on_2_and_4_workers_agrees() -> None:
    assert verdicts(table()) == [Verdict.AGREE] * 2


def test_slower_on_any_number_disagrees() -> None:
    frame = table(onebit=21e-3)
    frame.loc[where(frame, algorithm="qsgd", workers=4), "epoch_s"] = STEPS * 11e-3
    assert verdicts(frame) == [Verdict.DISAGREE] * 2


def test_what_was_not_measured_or_is_unfaithful_is_not_tested() -> None:
    frame = table()
    frame.loc[where(frame, algorithm="qsgd", workers=4), "faithful"] = False
    assert verdicts(frame) == [Verdict.NOT_TESTED, Verdict.AGREE]
    frame = table()
    fewer = frame[~where(frame, workers=4)]
    assert verdicts(fewer) == [Verdict.NOT_TESTED] * 2
    assert built(fewer).grids[0].rows[2][2] == "not measured"
    assert [drawing.name for drawing in built(fewer).drawings] == ["qsgd2016-figure2b"]


def test_one_worker_alone_takes_what_a_line_through_both_batches_gives_and_applies() -> None:
    (scaling,) = scalings(table())
    shown = page.Shown(scaling=scaling, steps=STEPS)
    alone_s = PER_STEP_S + 256 * PER_SAMPLE_S + APPLY_S
    assert shown.alone_s == pytest.approx(alone_s)
    sgd = shown.systems[0]
    assert shown.speedup(sgd, 4).value == pytest.approx(alone_s / 10e-3)
    assert shown.step_s(sgd, 2).value == pytest.approx(20e-3)
    assert math.isnan(shown.part_s("gtopk", 2, "compute"))


def test_the_page_has_both_parts_and_the_parts_of_a_step(tmp_path) -> None:
    files = {path.name for path in reports.write(table(), {"name": "scaling"}, tmp_path)}
    assert {"qsgd2016-figure2.html", "qsgd2016-figure2a.png", "qsgd2016-figure2b.png"} <= files
    (grid,) = built(table()).grids
    assert list(grid.rows[0])[2] == "5.560" and all(len(row) == len(grid.header) for row in grid.rows)


def test_a_run_of_another_model_or_network_has_no_such_page() -> None:
    assert page.build(table().assign(workload="resnet20")) is None
    assert page.build(table().assign(bandwidth_bit_per_s=1e9)) is None
    assert page.build(table()[lambda frame: frame["algorithm"] != "onebit"]) is None
