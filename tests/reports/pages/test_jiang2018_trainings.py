"""The pages on Jiang & Agrawal's figures 1c and 1d, from tables by formula."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from reports.jiang2018 import efficiency, names
from reports.pages import Content, jiang2018_figure1d, page_kinds
from reports.training import trainings
from tests.reports.test_emulated import timed
from tests.reports.test_training import table, verdicts

BATCH = 8  # of the tables
ALLREDUCE: dict[str, Any] = {"algorithm": "allreduce", "bits": 32}
QSGD: dict[str, Any] = {"algorithm": "qsgd", "codec": "qsgd", "bits": 7}
PQASGD: dict[str, Any] = {"algorithm": "pqasgd", "codec": "qsgd", "period": 8, "bits": 8}
TERNGRAD: dict[str, Any] = {"algorithm": "terngrad", "codec": "terngrad", "bits": 2, "last": 1.1}
PARTITIONED = (
    ALLREDUCE,
    {**QSGD, "q": 1.0, "last": 0.7},
    {**QSGD, "q": 1 / BATCH},
    TERNGRAD,
    {**PQASGD, "q": 1 / BATCH / 8, "bits": 10},
)
SHARED = (ALLREDUCE, {**QSGD, "q": 1.0}, {**PQASGD, "q": 1.0})


def counted(*systems: dict[str, Any], partition: str = "partitioned") -> pd.DataFrame:
    """The table of systems, `bits` being those that were counted of a component."""
    parts = []
    for system in systems:
        given = dict(system)
        bits = given.pop("bits")
        parts.append(table(given).assign(bits_per_component=float(bits)))
    frame = pd.concat(parts, ignore_index=True).assign(partition=partition)
    return frame.assign(trial=frame["trial"] + partition)


def figure_1c(partitioned: Any = PARTITIONED, shared: Any = SHARED) -> pd.DataFrame:
    return pd.concat([counted(*partitioned), counted(*shared, partition="shared")], ignore_index=True)


def page(frame: pd.DataFrame, name: str) -> Content | None:
    (kind,) = [kind for kind in page_kinds("TRAINING_PAGE") if kind.name == name]
    return kind.build(frame)


def test_figure_1c():
    assert verdicts(figure_1c(), "jiang2018-figure1c") == ["agree"] * 6


@pytest.mark.parametrize(
    ("place", "change", "claim"),
    [
        (1, {"last": 0.5}, 1),  # coarse levels are good enough
        (2, {"last": 0.8}, 2),  # fine ones are not
        (3, {"last": 0.6}, 3),  # terngrad is not far behind
        (3, {"bits": 20}, 3),  # or sends much
        (4, {"last": 0.8}, 4),  # pqasgd is behind
        (4, {"bits": 32}, 4),  # or sends much
        (4, {"last": 1.2}, 5),  # and is no better than terngrad
    ],
)
def test_what_figure_1c_does_not_show_is_found(place, change, claim):
    systems = list(PARTITIONED)
    systems[place] = {**systems[place], **change}
    assert verdicts(figure_1c(systems), "jiang2018-figure1c")[claim] == "disagree"


def test_terngrad_is_the_algorithm_and_not_the_codec():
    systems = list(PARTITIONED)
    systems[3] = {**TERNGRAD, "algorithm": "allreduce"}
    assert page(figure_1c(systems), "jiang2018-figure1c") is None


def test_a_coarse_qsgd_on_shared_data_is_judged_there():
    slow = (SHARED[0], {**SHARED[1], "last": 0.8}, SHARED[2])
    assert verdicts(figure_1c(shared=slow), "jiang2018-figure1c")[0] == "disagree"
    assert verdicts(counted(*PARTITIONED), "jiang2018-figure1c")[0] == "not tested"


def test_the_legend_has_ce_by_components_and_steps():
    (partitioned,) = trainings(counted(*PARTITIONED))
    assert set(names(partitioned).values()) == {
        "allreduce, ce 100 %", "qsgd q=1, ce 21.9 %", "qsgd q=1/8, ce 21.9 %", "terngrad, ce 6.25 %",
        "pqasgd p=8 q=1/64, ce 3.91 %",
    }  # fmt: skip
    content = page(figure_1c(), "jiang2018-figure1c")
    assert content is not None
    texts = [text.get_text() for drawing in content.drawings for text in drawing.figure.axes[0].texts]
    assert "pqasgd p=8 q=1/64, ce 3.91 %" in texts and "pqasgd p=8 q=1, ce 3.12 %" in texts


def test_a_system_whose_bits_were_not_counted_has_no_ce():
    (training,) = trainings(counted(*SHARED).assign(bits_per_component=float("nan")))
    assert all(pd.isna(efficiency(training, system).value) for system in training.systems)
    assert "allreduce" in names(training).values()


FAST = {"allreduce": 27.0, "qsgd": 17.0, "pqasgd": 10.0}
FIGURE_1D = (ALLREDUCE, QSGD, {**PQASGD, "bits": 9})


def figure_1d(
    times: dict[str, float], bandwidth: float = 780e6, systems: Any = FIGURE_1D, parameters: float = 269_722
) -> pd.DataFrame:
    return timed(counted(*systems).assign(workers=16, parameters=parameters), {(bandwidth, 1e-4): times})


def test_figure_1d():
    assert verdicts(figure_1d(FAST), "jiang2018-figure1d") == ["agree"] * 3
    slow = figure_1d(FAST | {"allreduce": 15.0})
    assert verdicts(slow, "jiang2018-figure1d") == ["disagree", "agree", "agree"]
    behind = figure_1d(FAST, systems=(*FIGURE_1D[:2], {**PQASGD, "last": 0.9, "bits": 32}))
    assert verdicts(behind, "jiang2018-figure1d") == ["agree", "disagree", "disagree"]


def test_figure_1d_is_judged_on_the_papers_network_at_the_models_scale():
    assert verdicts(figure_1d(FAST, 5e9), "jiang2018-figure1d")[0] == "not tested"
    whole = figure_1d(FAST, 5e9, parameters=jiang2018_figure1d.PARAMETERS)
    assert verdicts(whole, "jiang2018-figure1d")[0] == "agree"
    perceptron = figure_1d(FAST, 782e6, parameters=270_310).assign(workload="mlp-4096")
    assert verdicts(perceptron, "jiang2018-figure1d")[0] == "agree"
    assert verdicts(figure_1d(FAST, 782e6, parameters=280_000), "jiang2018-figure1d")[0] == "not tested"


def test_figure_1d_takes_sixteen_workers_and_times():
    assert page(counted(*FIGURE_1D).assign(workers=16), "jiang2018-figure1d") is None
    assert page(figure_1d(FAST).assign(workers=8), "jiang2018-figure1d") is None


AN4 = (ALLREDUCE, *({"algorithm": name, "period": 4, "bits": 32} for name in ("psgd", "rsgd")), QSGD, PQASGD)


def an4(*systems: dict[str, Any], error_rate: float = 0.2) -> pd.DataFrame:
    frame = counted(*systems).assign(workload="lstm-an4", metric_name="label error rate")
    return frame.assign(metric=frame["metric"].where(frame["metric"].isna(), error_rate))


def test_an4():
    assert verdicts(an4(*AN4), "jiang2018-an4") == ["agree"] * 4
    slow = (*AN4[:2], {**AN4[2], "last": 0.9}, *AN4[3:])
    assert verdicts(an4(*slow), "jiang2018-an4") == ["agree", "disagree", "agree", "agree"]


def test_an4_is_not_judged_before_anything_is_recognised():
    assert verdicts(an4(*AN4, error_rate=0.9), "jiang2018-an4") == ["not tested"] * 4
    assert page(counted(*AN4), "jiang2018-an4") is None  # another workload
