"""The pages on Tang's figures 2b to 2d and 4a, from tables by formula."""

from __future__ import annotations

from typing import Any

from reports.pages import page_kinds, tang2018_figure2bcd
from tests.reports.test_emulated import timed
from tests.reports.test_training import FIGURE_2A, table, verdicts

NETWORKS = [network for _, network in tang2018_figure2bcd.PANELS.values()]
ALIKE = {"allreduce": 10.0, "d-psgd": 10.0, "dcd-psgd": 9.0, "ecd-psgd": 9.0}
LATE = ALIKE | {"allreduce": 30.0}
SLOW = {"allreduce": 100.0, "d-psgd": 100.0, "dcd-psgd": 30.0, "ecd-psgd": 30.0}


def test_figures_2b_to_2d():
    times = dict(zip(NETWORKS, (ALIKE, LATE, SLOW), strict=True))
    assert verdicts(timed(table(*FIGURE_2A), times), "tang2018-figure2bcd") == ["agree"] * 3
    same = dict.fromkeys(NETWORKS, ALIKE)
    assert verdicts(timed(table(*FIGURE_2A), same), "tang2018-figure2bcd") == ["agree", "disagree", "disagree"]


def test_a_network_without_times_is_not_tested_and_has_no_panel():
    frame = timed(table(*FIGURE_2A), {NETWORKS[0]: ALIKE})
    assert verdicts(frame, "tang2018-figure2bcd") == ["agree", "not tested", "not tested"]
    (kind,) = [kind for kind in page_kinds("TRAINING_PAGE") if kind.name == "tang2018-figure2bcd"]
    content = kind.build(frame)
    assert content is not None
    (drawing,) = content.drawings
    titles = [ax.get_title(loc="left") for ax in drawing.figure.axes]
    assert titles == ["(b) best network: 1.4 Gbit/s, 0.13 ms"]


def test_without_times_there_is_no_page_on_them():
    (kind,) = [kind for kind in page_kinds("TRAINING_PAGE") if kind.name == "tang2018-figure2bcd"]
    assert kind.build(table(*FIGURE_2A)) is None
    assert kind.build(timed(table(*FIGURE_2A), {(1e6, 1.0): ALIKE})) is None


def sixteen(*systems: dict[str, Any]) -> Any:
    return table(*systems).assign(workers=16)


def test_figure_4a():
    assert verdicts(sixteen(*FIGURE_2A), "tang2018-figure4a") == ["agree"] * 2
    slow = (*FIGURE_2A[:3], {**FIGURE_2A[3], "last": 1.0})
    assert verdicts(sixteen(*slow), "tang2018-figure4a") == ["agree", "disagree"]


def test_figure_4a_takes_sixteen_workers_and_figure_2a_no_more_than_eight():
    pages = {kind.name: kind for kind in page_kinds("TRAINING_PAGE")}
    assert pages["tang2018-figure4a"].build(table(*FIGURE_2A)) is None
    assert pages["tang2018-figure2a"].build(sixteen(*FIGURE_2A)) is None
    assert pages["tang2018-figure2a"].build(table(*FIGURE_2A)) is not None


def test_a_page_about_some_codecs_takes_no_others():
    (kind,) = [kind for kind in page_kinds("TRAINING_PAGE") if kind.name == "tang2018-figure4a"]
    grid = {**FIGURE_2A[2], "codec": "grid"}
    assert kind.build(sixteen(*FIGURE_2A)) is not None
    assert kind.build(sixteen(*FIGURE_2A, grid)) is None
