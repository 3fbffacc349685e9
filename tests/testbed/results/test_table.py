from __future__ import annotations

import io
import json
import math
from pathlib import Path
from types import ModuleType
from typing import Any

import pandas as pd
import pytest

from testbed.cell import Cell
from testbed.errors import UserError
from testbed.results.run_folder import RunFolder
from testbed.results.table import export, row, table
from testbed.specification import load_plan

PROMISED = """
lab topology workers bandwidth_bit_per_s latency_s algorithm codec graph workload workload_options partition alpha
dataset device seed
steps_measured epoch_s epoch_ci95_s step_s compute_s encode_s communicate_s decode_s wire_bytes_per_step
declared_bytes_per_step rtt_probe_s goodput_probe_bit_per_s faithful status reason
"""


@pytest.fixture
def frame(tmp_path: Path, sweep_file: Path, scripted: ModuleType) -> pd.DataFrame:
    """Four cells: two measured, one failed, one missing."""
    plan = load_plan(sweep_file, lambda: "virtual", lambda cell: cell)
    run = RunFolder(tmp_path / "run")
    with run.locked():
        run.declare(plan.name, plan.text, plan.cells, [1e-3] * 4)
        for cell in plan.cells[:2]:
            run.store(cell, scripted.measurement(cell))
        run.store_failure(plan.cells[2], "worker 3: a | gradient is NaN", session=0)
    return table(run)


def test_one_row_a_cell_with_the_promised_columns(frame: pd.DataFrame) -> None:
    assert list(frame["status"]) == ["ok", "ok", "failed", "missing"]
    assert set(PROMISED.split()) <= set(frame.columns)
    assert frame["epoch_s"].isna().tolist() == [False, False, True, True]


def test_times_are_recomputed_from_the_steps(frame: pd.DataFrame) -> None:
    first = frame.iloc[0]
    steps = math.ceil(60000 / (4 * 128))
    assert first["steps_per_epoch"] == steps and first["steps_measured"] == 30 and first["repetitions"] == 3
    assert first["epoch_s"] == pytest.approx(steps * 2.0)  # means 1.9, 2.0, 2.1: their deviation is 0.1
    assert first["epoch_ci95_s"] == pytest.approx(steps * 4.30265 * 0.1 / math.sqrt(3), rel=1e-5)
    parts = ("compute_s", "encode_s", "communicate_s", "decode_s", "apply_s")
    assert sum(first[part] for part in parts) == pytest.approx(first["step_s"])


def test_a_full_epoch_is_the_sum_of_its_steps(sweep_file: Path, scripted: ModuleType) -> None:
    sweep_file.write_text(sweep_file.read_text() + "full_epoch: true\n")
    cell = load_plan(sweep_file, lambda: "virtual", lambda cell: cell).cells[0]
    document = {"status": "ok", "reason": "", **scripted.measurement(cell)}
    assert row(cell, document)["epoch_s"] == pytest.approx(10 * 2.0)


@pytest.mark.parametrize(("share", "status"), [(0.0099, "ok"), (0.0101, "overrun")])
def test_a_machine_too_slow_to_be_the_device_is_not_shown_as_it(
    sweep_file: Path, scripted: ModuleType, share: float, status: str
) -> None:
    cell = load_plan(sweep_file, lambda: "virtual", lambda cell: cell).cells[0]
    overrun = {"calls_per_step": 1.0, "s_per_step": 2 * share, "share": share}
    found = row(cell, {"status": "ok", "reason": "", **scripted.measurement(cell), "overrun": overrun})
    assert found["status"] == status
    assert math.isnan(found["epoch_s"]) == (status == "overrun")
    assert ("1.0% of the time" in found["reason"]) == (status == "overrun")


def test_exports_hold_the_same_table(frame: pd.DataFrame) -> None:
    csv = pd.read_csv(io.BytesIO(export(frame, "csv")))
    parquet = pd.read_parquet(io.BytesIO(export(frame, "parquet")))
    assert list(csv.columns) == list(parquet.columns) == list(frame.columns)
    assert csv["epoch_s"].tolist()[:2] == parquet["epoch_s"].tolist()[:2] == frame["epoch_s"].tolist()[:2]
    lines = export(frame, "markdown").decode().splitlines()
    assert len(lines) == 2 + 4 and len({line.replace(r"\|", "").count("|") for line in lines}) == 1


def test_options_are_json_in_every_format(frame: pd.DataFrame) -> None:
    assert [json.loads(text or "{}") for text in frame["codec_options"]] == [{}] * 4


@pytest.fixture
def scheduled(sweep_file: Path, scripted: ModuleType) -> tuple[Cell, dict[str, Any]]:
    """A cell with a schedule and a straggler, and its document; the last repetition ended before the last change."""
    sweep_file.write_text(
        sweep_file.read_text() + "straggler: {worker: 1, compute: 2}\n"
        "schedule: [{at: 3 s, down: 2 s, links: 1}, {at: 9 s, loss: 1 %}]\n"
    )
    cell = load_plan(sweep_file, lambda: "virtual", lambda cell: cell).cells[0]
    document = {"status": "ok", "reason": "", **scripted.measurement(cell)}
    for number, repetition in enumerate(document["repetitions"]):
        moments = [(0, False, 3.0), (0, True, 5.0), (1, False, None if number == 2 else 9.0)]
        repetition["begins_s"] = 0.5
        repetition["changes"] = [
            {"change": change, "ends": ends, "at_s": 0.0, "applied_s": applied_s} for change, ends, applied_s in moments
        ]
    return cell, document


def test_a_schedule_has_a_timeline_and_says_what_was_not_reached(scheduled: tuple[Cell, dict[str, Any]]) -> None:
    made = row(*scheduled)
    assert made["straggler"] == "worker 1: compute x2"
    assert made["schedule"] == "3 s: worker 1 down 2 s; 9 s: loss 1 %"
    assert made["changes_missed"] == 1
    found = json.loads(made["timeline"])
    assert [len(repetition["step_s"]) for repetition in found["repetitions"]] == [10, 10, 10]
    down, loss = found["changes"]
    assert (down["text"], down["applied_s"], down["ended_s"]) == ("worker 1 down 2 s", [3.0] * 3, [5.0] * 3)
    assert (loss["applied_s"], loss["ended_s"]) == ([9.0, 9.0, None], [])


def test_a_table_for_a_document_goes_without_timelines(scheduled: tuple[Cell, dict[str, Any]]) -> None:
    frame = pd.DataFrame([row(*scheduled)])
    assert "step_s" in export(frame, "csv").decode() and "ended_s" in export(frame, "csv").decode()
    assert "ended_s" not in export(frame, "markdown").decode()
    assert pd.read_parquet(io.BytesIO(export(frame, "parquet")))["timeline"][0] == frame["timeline"][0]


def test_a_cell_without_either_says_none(frame: pd.DataFrame) -> None:
    assert set(frame["straggler"]) == set(frame["schedule"]) == {"none"}
    assert frame["timeline"].tolist() == [""] * 4
    assert frame["changes_missed"].tolist()[:2] == [0, 0]


def test_an_unknown_format_is_refused(frame: pd.DataFrame) -> None:
    with pytest.raises(UserError, match="must be one of csv, parquet, markdown"):
        export(frame, "xlsx")
