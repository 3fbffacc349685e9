from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pandas as pd
import pytest

import reports
from reports.claims import Claim, Verdict
from reports.pages import shi2019_speedup as page
from tests.reports.conftest import fail, make_table, where

BANDWIDTH, LATENCY = page.AT
SYSTEMS = (("allreduce", "fp32"), ("gtopk", "fp32"))


def table(workload: str = "resnet20", factor: float = 1.0, workers: Sequence[int] = page.WORKERS) -> pd.DataFrame:
    """A run in which gtopk is as much faster as in the paper, times a factor; its intervals are narrow."""
    found = []
    for count, speedup in zip(page.WORKERS, page.PAPER[workload], strict=True):
        if count in workers:
            one = make_table(systems=SYSTEMS, bandwidths=(BANDWIDTH,), latencies=(LATENCY,), workers=count)
            one = one.assign(workload=workload, epoch_s=10.0, epoch_ci95_s=0.01)
            one.loc[where(one, algorithm="gtopk"), "epoch_s"] = 10.0 / (speedup * factor)
            found.append(one)
    return pd.concat(found, ignore_index=True)


def claims(frame: pd.DataFrame, workload: str = "resnet20") -> list[Claim]:
    content = page.build(frame)
    assert content is not None
    return [claim for claim in content.claims if claim.part == workload]


@pytest.mark.parametrize("workload", page.PAPER)
def test_the_papers_own_numbers_agree(workload: str) -> None:
    found = claims(table(workload), workload)
    assert [claim.verdict for claim in found] == [Verdict.AGREE] * 6


def test_what_is_farther_than_a_quarter_disagrees_and_the_shape_does_not() -> None:
    found = claims(table(factor=1.4))
    assert [claim.verdict for claim in found] == [Verdict.DISAGREE] * 4 + [Verdict.AGREE] * 2


def test_a_speed_up_below_one_and_one_that_falls_are_denied() -> None:
    frame = table()
    frame.loc[where(frame, algorithm="gtopk", workers=8), "epoch_s"] = 11.0
    assert [claim.verdict for claim in claims(frame)[4:]] == [Verdict.DISAGREE] * 2


def test_what_was_not_measured_is_not_tested() -> None:
    found = claims(table("vgg16", workers=[4]), "vgg16")
    assert Counter(claim.verdict for claim in found) == {Verdict.AGREE: 2, Verdict.NOT_TESTED: 4}
    frame = table()
    failed = claims(fail(frame, where(frame, algorithm="allreduce", workers=32)))
    assert failed[3].verdict is Verdict.NOT_TESTED and "no 32 workers" in failed[3].why
    absent = claims(frame, "lstm-ptb")
    assert {claim.verdict for claim in absent} == {Verdict.NOT_TESTED} and len(absent) == 6


def test_an_unfaithful_cell_decides_nothing() -> None:
    frame = table()
    frame.loc[where(frame, workers=4), "faithful"] = False
    assert claims(frame)[0].verdict is Verdict.NOT_TESTED


def test_the_page_has_a_figure_and_both_rows_of_numbers(tmp_path) -> None:
    frame = pd.concat([table(), table("vgg16", workers=[4])], ignore_index=True)
    files = {path.name for path in reports.write(frame, {"name": "speedup"}, tmp_path)}
    assert {"shi2019-speedup.html", "shi2019-speedup.png"} <= files
    content = page.build(frame)
    assert content is not None
    (grid,) = content.grids
    assert grid.rows[1][2].startswith("1.26 (") and grid.rows[1][3] == "not measured"
    assert {drawing.name for drawing in content.drawings} == {"shi2019-speedup"}
    assert "resnet20 on fashion-mnist" in " ".join(content.drawings[0].view.origin)
    assert "vgg16 on fashion-mnist" in " ".join(content.drawings[0].view.origin)


def test_a_run_on_another_network_has_no_such_page() -> None:
    assert page.build(table().assign(bandwidth_bit_per_s=1e8)) is None
    assert page.build(make_table(bandwidths=(BANDWIDTH,), latencies=(LATENCY,))) is None
