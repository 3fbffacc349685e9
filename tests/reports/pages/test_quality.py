from __future__ import annotations

from typing import Any

import pandas as pd

import reports
from reports.pages import quality
from tests.reports.test_training import PROVENANCE, trial

NAMES = [f"algorithm-{number}" for number in range(quality.LEAST_SYSTEMS - 2)]


def table() -> pd.DataFrame:
    rows: list[dict[str, Any]] = []
    for seed in (1, 2, 3):
        own = {"formula_bits_per_component": 32.0, "bits_per_component": 32.0, "handed_bytes_per_worker": 400.0}
        for name in ("allreduce", *NAMES):
            rows += [row | own for row in trial(name, seed, accuracy=0.8 + seed / 100)]
        eight = {"formula_bits_per_component": 8.0, "bits_per_component": 8.4, "handed_bytes_per_worker": 100.0}
        rows += [row | eight for row in trial("qsgd", seed, codec="qsgd", accuracy=0.79 + seed / 100)]
    rows = [row | {"workload_options": '{"hidden": 128, "samples": 99}'} for row in rows]
    return pd.DataFrame(rows)


def row_of(frame: pd.DataFrame, label: str) -> list[str]:
    content = quality.build(frame)
    assert content is not None
    (found,) = [row for row in content.grids[0].rows if row[0] == label]
    return list(found)


def test_a_row_has_bits_by_formula_and_counted_and_quality_beside_allreduce():
    assert row_of(table(), "qsgd qsgd") == [
        "qsgd qsgd", "8", "8.4", "1.05", "0.25", "0.500 (0.500 to 0.500)", "0.810 (0.800 to 0.820)",
        "-0.010 (-0.010 to -0.010)",
    ]  # fmt: skip
    assert row_of(table(), "allreduce fp32")[-1] == ""


def test_a_system_that_diverged_has_no_quality():
    frame = table()
    broken = pd.DataFrame(
        [row | {"workload_options": '{"hidden": 128, "samples": 99}'} for row in trial("naive", 1, None)]
    )
    found = row_of(pd.concat([frame, broken]), "naive fp32")
    assert found[5:] == ["diverged, or not trained to the end"] * 3


def test_few_systems_have_no_such_page_and_many_have_a_file(tmp_path):
    frame = table()
    assert quality.build(frame[frame["algorithm"].isin(["allreduce", "qsgd"])]) is None
    files = {path.name for path in reports.write_training(frame, PROVENANCE, tmp_path)}
    assert {"quality.html", "quality.png"} <= files
    assert "hidden 128" in (tmp_path / "quality.html").read_text()
