"""Figures and pages of trainings, from tables by formula."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import reports
from reports import canvas, curves
from reports.claims import Claim, Verdict
from reports.pages import page_kinds
from reports.training import trainings

EPOCHS = 4
PROVENANCE = {"name": "tiny", "git_commit": "0123456789abcdef", "date": "2026-01-01"}


def trial(
    algorithm: str,
    seed: int,
    last: float | None = 0.5,
    codec: str = "fp32",
    epochs: int = EPOCHS,
    delta: float | None = 0.9,
    accuracy: float = 0.8,
    **options: Any,
) -> list[dict[str, Any]]:
    """A trial's rows: losses fall from 2 to `last`, or with None it diverges in the second epoch."""
    bits = options.pop("bits", None)
    whole = {
        "trial": f"{algorithm} {codec} {bits} {options} {seed}", "workload": "resnet20", "workload_options": "{}",
        "workers": 8, "batch_size": 8, "partition": "partitioned", "epochs_declared": EPOCHS, "rate_schedule": "{}",
        "device": "cpu", "dataset": "fashion-mnist", "samples": 1024.0, "held_out_samples": 256.0, "metric_name":
        "accuracy", "algorithm": algorithm, "codec": codec, "algorithm_options": json.dumps(options), "codec_options":
        json.dumps({} if bits is None else {"bits": bits}), "graph": "ring", "seed": seed, "reason": "",
        "status": "diverged" if last is None else "ok" if epochs == EPOCHS else "running",
        "delta": json.dumps({"first": delta, "second": 0.1}),
    }  # fmt: skip
    rows = []
    for epoch in range(1, (2 if last is None else epochs) + 1):
        over = last is None and epoch == 2
        loss = math.nan if over else 2 + ((last or 1) - 2) * (epoch - 1) / (EPOCHS - 1)
        evaluated = not over and epoch % 2 == 0
        rows.append(
            whole
            | {"epoch": epoch, "train_loss": loss, "held_out_loss": loss if evaluated else math.nan}
            | {"metric": accuracy if evaluated else math.nan}
        )
    return rows


def table(*systems: Mapping[str, Any], seeds: Sequence[int] = (1, 2, 3)) -> pd.DataFrame:
    """All systems with all seeds, whose losses differ by one in a hundred."""
    rows = []
    for system in systems:
        for seed in seeds:
            last = system.get("last", 0.5)
            given = dict(system) | {"last": None if last is None else last * (1 + seed / 100)}
            rows += trial(seed=seed, **given)
    return pd.DataFrame(rows)


def test_a_seed_that_was_trained_on_networks_too_is_one_seed() -> None:
    alone = trial("allreduce", 1)
    networked = [row | {"trial": "other", "lab": "virtual", "timing": "measured"} for row in trial("allreduce", 1)]
    for rows, origin in (
        (alone + networked[:2], "in one process on cpu"),
        (networked, "over networks of the virtual lab"),
    ):
        (found,) = trainings(pd.DataFrame(rows))
        (course,) = found.courses.values()
        assert [row["epoch"] for row in course.epochs[1]] == [1, 2, 3, 4] and course.status == {1: "ok"}
        assert found.origin == ["seeds 1", f"trained {origin}"]


D_PSGD = {"algorithm": "d-psgd"}
NAIVE = {"algorithm": "naive", "codec": "qsgd"}
FIGURE_1 = (D_PSGD, {**NAIVE, "bits": 8, "last": 1.2}, {**NAIVE, "bits": 4, "last": None})
FIGURE_2A = (
    {"algorithm": "allreduce"},
    D_PSGD,
    {"algorithm": "dcd-psgd", "codec": "qsgd", "bits": 8},
    {"algorithm": "ecd-psgd", "codec": "qsgd", "bits": 8},
)


def claims(frame: pd.DataFrame, name: str) -> list[Claim]:
    (kind,) = [kind for kind in page_kinds("TRAINING_PAGE") if kind.name == name]
    content = kind.build(frame)
    assert content is not None
    return list(content.claims)


def verdicts(frame: pd.DataFrame, name: str) -> list[str]:
    return [str(claim.verdict) for claim in claims(frame, name)]


def test_a_band_is_the_mean_the_least_and_the_largest_of_the_seeds():
    (training,) = trainings(table(D_PSGD))
    band = training.courses[training.systems[0]].band("train_loss")
    assert list(band) == [1, 2, 3, 4]
    assert (band[4].low, band[4].value, band[4].high) == pytest.approx((0.505, 0.51, 0.515))


def test_losses_that_several_networks_repeat_count_once():
    frame = table(D_PSGD)
    (training,) = trainings(pd.concat([frame.assign(cell="a"), frame.assign(cell="b")]))
    assert [len(rows) for rows in training.courses[training.systems[0]].epochs.values()] == [EPOCHS] * 3


def test_trainings_that_differ_in_more_than_system_and_seed_are_apart():
    frame = pd.concat([table(D_PSGD), table(D_PSGD).assign(workers=16, trial="more")])
    assert [training.name for training in trainings(frame)] == ["resnet20, 8 workers", "resnet20, 16 workers"]


def test_a_figure_has_a_panel_for_each_quantity_and_a_cross_where_a_seed_diverged():
    (training,) = trainings(table(*FIGURE_1))
    with canvas.style():
        figure = curves.draw(training, (curves.TRAIN_LOSS, curves.metric(training)), title="one")
    assert figure is not None
    assert [ax.get_title(loc="left") for ax in figure.axes] == ["training loss", "accuracy"]
    crosses = [line for line in figure.axes[0].lines if line.get_gid() == "failed"]
    assert [list(np.asarray(line.get_xdata())) for line in crosses] == [[2]]
    bands = {system.label: curves.curve(training, system, curves.TRAIN_LOSS) for system in training.systems}
    assert bands["d-psgd fp32"].x == [1, 2, 3, 4] and bands["naive qsgd 4 bit"].x == [1, 2]
    accuracy = curves.curve(training, training.systems[0], curves.metric(training))
    assert accuracy.x == [2, 4]  # only where it was evaluated


@pytest.mark.parametrize(("low", "high"), [(0.52, 0.9), (1.7, 2.4), (2.301, 2.304), (0.01, 3.0), (0.3, 1.9)])
def test_a_logarithmic_axis_has_two_labels_at_least_and_no_crowd(low: float, high: float) -> None:
    frame = table({"algorithm": "d-psgd"}, seeds=(1,))
    frame["train_loss"] = np.geomspace(high, low, EPOCHS)
    (training,) = trainings(frame)
    figure = curves.draw(training, (curves.TRAIN_LOSS,), title="one")
    assert figure is not None
    axis = figure.axes[0].yaxis
    texts = [text.get_text() for text in axis.get_ticklabels()]
    assert 2 <= len(texts) <= 9 and len(set(texts)) == len(texts)
    low_end, high_end = figure.axes[0].get_ylim()
    assert all(low_end <= float(text) <= high_end for text in texts)


def test_delta_is_a_curve_below_a_line_at_1_where_it_was_recorded():
    systems = ({"algorithm": "allreduce"}, {"algorithm": "gtopk", "density": 0.001, "delta": 0.9})
    frame = table(*systems)
    frame.loc[frame["algorithm"] == "allreduce", "delta"] = ""
    frame.loc[(frame["algorithm"] == "gtopk") & (frame["epoch"] == 1), "delta"] = '{"first": null, "second": 0.1}'
    content = next(kind for kind in page_kinds("TRAINING_PAGE") if kind.name == "shi2019-figure1").build(frame)
    assert content is not None
    ax = content.drawings[0].figure.axes[2]
    assert ax.get_title(loc="left") == curves.DELTA.label
    (limit,) = (line for line in ax.lines if line.get_gid() == "limit")
    assert list(np.asarray(limit.get_ydata())) == [1, 1]
    assert [text.get_text() for text in ax.texts if text.get_gid() == "label"] == ["gtopk fp32"]
    drawn = next(line for line in ax.lines if line.get_label() == "gtopk fp32")
    assert list(np.asarray(drawn.get_ydata()))[1:] == pytest.approx([0.9, 0.9, 0.9])
    assert math.isnan(np.asarray(drawn.get_ydata())[0])  # infinite there
    assert content.claims[0].verdict is Verdict.DISAGREE


def test_the_index_of_figures_has_the_verdicts_of_those_that_were_run(tmp_path):
    made = [
        reports.Made(name=name, trained=True, table=frame, figures=Path(name, "figures"), command=f"make {name}")
        for name, frame in (("tang2018-figure1", table(*FIGURE_1)), ("tang2018-figure2a", None))
    ]
    page = reports.write_figures(made, PROVENANCE, tmp_path).read_text()
    assert "2 figures, 1 of them run; judgements: 3 agree." in page
    assert 'href="tang2018-figure1/figures/tang2018-figure1.html"' in page
    assert 'src="tang2018-figure1/figures/tang-2018-figure-1.png"' in page
    assert "Not run: <code>make tang2018-figure2a</code>" in page


def test_a_training_gives_an_index_and_its_page_with_figures(tmp_path):
    files = reports.write_training(table(*FIGURE_1), PROVENANCE, tmp_path / "figures")
    assert sorted(files) == sorted((tmp_path / "figures").iterdir())
    assert files[0].name == "index.html"
    index = files[0].read_text()
    assert "9 trials: 6 ok, 3 diverged." in index and "tang2018-figure1.html" in index
    page = (tmp_path / "figures" / "tang2018-figure1.html").read_text()
    assert "3 judgements: 3 agree." in page and "1,024 samples of fashion-mnist" in page
    assert "tang2018-figure2a.html" not in index


def test_an_empty_training_gives_an_index_that_says_so(tmp_path):
    (index,) = reports.write_training(pd.DataFrame(), PROVENANCE, tmp_path)
    assert "no trials yet" in index.read_text()


def test_figure_1_of_tang():
    assert verdicts(table(*FIGURE_1), "tang2018-figure1") == ["agree"] * 3
    works = (D_PSGD, {**NAIVE, "bits": 8, "last": 0.55}, {**NAIVE, "bits": 4, "last": 0.75})
    assert verdicts(table(*works), "tang2018-figure1") == ["agree", "disagree", "agree"]


def test_figure_2a_of_tang():
    assert verdicts(table(*FIGURE_2A), "tang2018-figure2a") == ["agree"] * 3
    slow = (*FIGURE_2A[:3], {**FIGURE_2A[3], "last": 1.0})
    assert verdicts(table(*slow), "tang2018-figure2a") == ["agree", "disagree", "disagree"]


def test_figure_1_of_shi():
    systems = ({"algorithm": "allreduce"}, {"algorithm": "gtopk", "density": 0.001})
    assert verdicts(table(*systems), "shi2019-figure1") == ["agree", "agree"]
    bad = (systems[0], {**systems[1], "last": 0.9, "delta": None})
    assert verdicts(table(*bad), "shi2019-figure1") == ["disagree", "disagree"]


def test_figure_2_of_shi():
    systems = [
        {"algorithm": "gtopk", "density": d, "last": last} for d, last in ((0.1, 0.4), (0.01, 0.5), (0.001, 0.6))
    ]
    assert verdicts(table(*systems), "shi2019-figure2") == ["agree"]
    systems[1]["last"] = 0.7
    assert verdicts(table(*systems), "shi2019-figure2") == ["disagree"]


@pytest.mark.parametrize(
    ("frame", "why"),
    [
        (table(*FIGURE_2A, seeds=(1, 2)), "it takes 3 seeds, the training has 2"),
        (table({**FIGURE_2A[0], "last": 1.5}, *FIGURE_2A[1:]), "the loss of allreduce fp32 is still 1.54"),
        (
            table({**FIGURE_2A[0], "epochs": 3}, *FIGURE_2A[1:]),
            "not all seeds of allreduce fp32 were trained to the end",
        ),
    ],
    ids=["seeds", "chance", "unfinished"],
)
def test_what_a_training_cannot_decide_is_not_tested(frame, why):
    found = claims(frame, "tang2018-figure2a")
    assert found[0].verdict is Verdict.NOT_TESTED and why in found[0].why


def test_figures_1a_and_1b_of_jiang():
    systems: list[dict[str, Any]] = [
        {"algorithm": name, "period": period, "accuracy": 0.79} for name in ("psgd", "rsgd") for period in (2, 4, 8)
    ]
    whole: list[dict[str, Any]] = [{"algorithm": "allreduce"}, *systems]
    assert verdicts(table(*whole), "jiang2018-figure1ab") == ["agree"] * 4
    whole[-1] = {**whole[-1], "last": 0.7, "accuracy": 0.7}
    assert verdicts(table(*whole), "jiang2018-figure1ab") == ["agree", "disagree", "agree", "disagree"]


def test_figure_4b_of_tang():
    at_4: list[dict[str, Any]] = [{"codec": codec, "bits": 4} for codec in ("qsgd", "grid")]
    dcd: list[dict[str, Any]] = [{**one, "algorithm": "dcd-psgd", "last": 1.0} for one in at_4]
    ecd: list[dict[str, Any]] = [{**one, "algorithm": "ecd-psgd", "last": None} for one in at_4]
    whole: list[dict[str, Any]] = [{"algorithm": "allreduce"}, *dcd, *ecd]
    assert verdicts(table(*whole), "tang2018-figure4b") == ["agree"] * 4
    whole[1], whole[4] = {**dcd[0], "last": 1.9}, {**ecd[1], "last": 0.6}
    assert verdicts(table(*whole), "tang2018-figure4b") == ["disagree", "agree", "agree", "disagree"]
