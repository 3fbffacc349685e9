"""What the made run folders promise, read back by the project's own readers."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from pathlib import Path

import pytest

from testbed.errors import LabError, UserError
from testbed.results import provenance
from testbed.results.run_folder import RunFolder
from testbed.results.table import table
from tests import made_runs


@pytest.fixture
def statuses(tmp_path: Path):
    def statuses(kind: str) -> Counter[str]:
        return Counter(table(RunFolder.existing(made_runs.make(kind, tmp_path / kind)))["status"])

    return statuses


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("small", {"ok": 12}),
        ("empty", {"missing": 12}),
        ("all-failed", {"failed": 12}),
        ("mixed", {"ok": 4, "saturated": 2, "overrun": 2, "failed": 2, "missing": 2}),
        ("hostile", {"ok": 10, "failed": 1, "missing": 1}),
        ("half-written", {"ok": 5, "failed": 1, "missing": 6}),
    ],
)
def test_each_kind_has_what_its_name_says(statuses, kind: str, expected: dict[str, int]):
    assert statuses(kind) == expected


def test_the_large_one_is_the_default_sweep():
    assert len(made_runs.cells_of("default")) == 480


def test_of_the_mixed_ones_measured_cells_half_are_unfaithful(tmp_path: Path):
    frame = table(RunFolder(made_runs.make("mixed", tmp_path / "run")))
    assert Counter(frame[frame["status"] == "ok"]["faithful"]) == {True: 2, False: 2}


def test_equal_kinds_are_equal(tmp_path: Path):
    one, other = (made_runs.make("small", tmp_path / name) for name in "ab")
    files = [path.relative_to(one) for path in one.rglob("*.*") if path.is_file()]
    assert len(files) > 24
    assert all((one / file).read_bytes() == (other / file).read_bytes() for file in files)


def test_a_step_is_the_sum_of_its_parts_and_takes_what_the_formula_says(tmp_path: Path):
    run = RunFolder(made_runs.make("small", tmp_path / "run"))
    for cell, (_, row) in zip(run.declared(), table(run).iterrows(), strict=True):
        assert row["communicate_s"] == pytest.approx(made_runs.communicate_s(cell), rel=0.05)
        parts = sum(row[f"{part}_s"] for part in ("compute", "encode", "communicate", "decode", "apply"))
        assert row["step_s"] == pytest.approx(parts)
        assert row["epoch_ci95_s"] > 0


def test_a_trace_lasts_as_long_as_the_steps(tmp_path: Path):
    run = RunFolder(made_runs.make("small", tmp_path / "run"))
    for cell, (_, row) in zip(run.declared(), table(run).iterrows(), strict=True):
        trace = json.loads(gzip.decompress((run.path / "traces" / f"{cell.id}.json.gz").read_bytes()))
        step = trace["workers"][0][-1]
        assert (step["end_ns"] - step["begin_ns"]) / 1e9 == pytest.approx(row["step_s"], rel=0.05)


def test_what_the_session_says_is_what_provenance_says():
    assert made_runs.SESSION.keys() == provenance.collect("made", {}).keys()


@pytest.mark.parametrize(("kind", "sentence"), [("newer", "has schema 2"), ("damaged", "is damaged")])
def test_what_cannot_be_read_is_said(tmp_path: Path, kind: str, sentence: str):
    with pytest.raises(LabError, match=sentence):
        table(RunFolder.existing(made_runs.make(kind, tmp_path / kind)))


def test_a_half_written_file_is_kept_beside_the_whole_ones(tmp_path: Path):
    assert list(made_runs.make("half-written", tmp_path / "run").glob("cells/.*.partial"))


def test_a_folder_that_exists_stays(tmp_path: Path):
    with pytest.raises(UserError, match="exists"):
        made_runs.make("small", tmp_path)
