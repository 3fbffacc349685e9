from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from reports.claims import Claim
from reports.effective_floats import BUCKETS, by_lemma
from reports.pages import Content, qsgd2016_figure1a
from tests.reports.test_training import trial

PARAMETERS = 3_256_330
COUNTED = {256: 80e3, 1024: 45e3, 4096: 25e3}  # floats
LOSS = {256: 0.4, 1024: 0.45, 4096: 0.48}


def rows(seed: int, bucket: int = 0, **more: Any) -> list[dict[str, Any]]:
    whole = {"workload": "mlp-4096", "workers": 2, "batch_size": 128, "parameters": float(PARAMETERS)}
    if not bucket:
        return [row | whole for row in trial("allreduce", seed, accuracy=0.9)]
    coding = more.pop("coding", "fixed")
    options = {"bucket": bucket, "coding": coding}
    made = trial("qsgd", seed, codec="qsgd", last=LOSS[bucket], **{"accuracy": 0.91} | more)
    text = str(options).replace("'", '"')
    bits = COUNTED[bucket] * 32 / PARAMETERS if coding == "elias" else 2.1
    own = {"codec_options": text, "trial": f"{bucket} {coding} {seed}", "bits_per_component": bits}
    return [row | whole | own for row in made]


def table(**more: Any) -> pd.DataFrame:
    seeds = (1, 2, 3)
    found = [
        row for seed in seeds for bucket in (0, *BUCKETS) for row in rows(seed, bucket, **(more if bucket else {}))
    ]
    coded = [row | {"epochs_declared": 1} for bucket in BUCKETS for row in rows(1, bucket, coding="elias")]
    return pd.DataFrame([*found, *coded])


def built(frame: pd.DataFrame) -> Content:
    content = qsgd2016_figure1a.build(frame)
    assert content is not None
    return content


def verdicts(claims: list[Claim]) -> list[str]:
    return [str(claim.verdict) for claim in claims]


@pytest.mark.parametrize(("bucket", "floats"), [(256, 79e3), (1024, 43e3), (4096, 24e3)])
def test_the_lemma_has_the_numbers_that_the_specification_computed(bucket, floats):
    assert by_lemma(PARAMETERS, bucket) == pytest.approx(floats, rel=0.02)


def test_losses_and_accuracies_that_improve_agree_and_floats_are_judged_by_paper_and_lemma():
    found = verdicts(list(built(table()).claims))
    assert found[:6] == ["agree"] * 6
    assert found[6:] == ["agree", "disagree"] * 3  # as many as the paper says, and so more than the lemma does


def test_accuracies_that_are_lower_disagree():
    assert verdicts(list(built(table(accuracy=0.89)).claims))[3:6] == ["disagree"] * 3


def test_the_table_has_the_papers_the_lemmas_and_the_counted_floats():
    (grid,) = built(table()).grids
    assert list(grid.rows[0]) == ["all layers", "256", "88 k", "79.1 k", "80 k", "0.786"]
    assert all(len(row) == len(grid.header) for row in grid.rows)


def test_without_elias_code_floats_are_not_tested():
    frame = table()
    content = built(frame[frame["epochs_declared"] > 1])
    assert verdicts(list(content.claims))[6:] == ["not tested"] * 6
    assert content.grids[0].rows[0][4] == "not counted"


def test_another_workloads_training_has_no_such_page():
    assert qsgd2016_figure1a.build(table().assign(workload="resnet20")) is None
    assert qsgd2016_figure1a.build(pd.DataFrame()) is None
