from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from click.testing import CliRunner, Result

from testbed.cli import cli
from testbed.comparing import compare_runs, share
from testbed.errors import LabError, UserError
from testbed.results.run_folder import RunFolder
from testbed.specification import load_plan


@pytest.fixture
def make(tmp_path: Path, sweep_file: Path, scripted: ModuleType) -> Callable[..., Path]:
    """Write a run of four cells, allreduce's slower by a factor."""
    plan = load_plan(sweep_file, lambda: "virtual", lambda cell: cell)

    def make(name: str, factor: float = 1.0, failed: bool = False) -> Path:
        run = RunFolder(tmp_path / name)
        with run.locked():
            run.declare(plan.name, plan.text, plan.cells, [1e-3] * 4)
            run.add_session({"name": plan.name, "date": "2026-01-02"})
            for cell in plan.cells:
                measured = scripted.measurement(cell)
                if cell.algorithm == "allreduce":
                    measured["repetitions"] = [_slowed(one, factor) for one in measured["repetitions"]]
                run.store(cell, {**measured, "session": 0})
            if failed:
                run.cell_path(plan.cells[0]).unlink()
                run.store_failure(plan.cells[0], "worker 3 died", session=0)
        return run.path

    return make


def _slowed(repetition: dict[str, Any], factor: float) -> dict[str, Any]:
    return {**repetition, "step_s": [step_s * factor for step_s in repetition["step_s"]]}


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(cli, ["compare", *map(str, arguments)], standalone_mode=False)


def test_the_exit_code_is_three_where_a_cell_is_slower(make: Callable[..., Path]) -> None:
    a, b = make("a"), make("b", 1.1)
    slower = invoke(a, b, "--fail-if-slower", "5%")
    assert slower.return_value == 3
    assert slower.output.startswith("2 of 4 cells became slower by more than noise, 0 faster;")
    assert "The check fails: 2 cells slower by more than 5 % beyond noise." in slower.output
    assert invoke(a, b, "--fail-if-slower", "12 %").return_value == 0
    assert invoke(a, b).return_value == 0
    assert invoke(b, a, "--fail-if-slower", "0%").return_value == 0


def test_a_cell_that_failed_fails_the_check(make: Callable[..., Path]) -> None:
    a, b = make("a"), make("b", failed=True)
    assert invoke(a, b, "--fail-if-slower", "5%").return_value == 3
    assert invoke(a, b).return_value == 0
    assert invoke(b, a, "--fail-if-slower", "5%").return_value == 0


def test_other_formats_and_a_page(make: Callable[..., Path], tmp_path: Path) -> None:
    a, b = make("a"), make("b", 1.1)
    assert invoke(a, b, "--format", "markdown").output.startswith("**2 of 4 cells")
    assert invoke(a, b, "--format", "csv").output.startswith("cell,setting,bandwidth_bit_per_s")
    assert invoke(a, b, "--html", tmp_path / "page.html").return_value == 0
    assert "<h1>Two runs compared</h1>" in (tmp_path / "page.html").read_text()


def test_mistakes_are_said(make: Callable[..., Path], tmp_path: Path) -> None:
    a, b = make("a"), make("b")
    link = tmp_path / "link"
    link.symlink_to(a)
    (tmp_path / "training").mkdir()
    (tmp_path / "training" / "trials.json").write_text("{}")
    for arguments, words in (
        ((a, a), "are the same run: give two"),
        ((a, link), "are the same run: give two"),
        ((a, tmp_path / "training"), "holds a training"),
        ((a, tmp_path / "none"), "is no run folder"),
        ((a, b, "--fail-if-slower", "five"), "--fail-if-slower 'five' is not a percentage"),
        ((a, b, "--html", tmp_path / "none" / "page.html"), "does not exist; make it"),
    ):
        found = invoke(*arguments)
        assert isinstance(found.exception, UserError) and words in str(found.exception), arguments


def test_a_run_without_results_and_one_of_a_newer_version_are_refused(make: Callable[..., Path]) -> None:
    a, b = make("a"), make("b")
    for path in (b / "cells").iterdir():
        path.unlink()
    with pytest.raises(UserError, match="b has no result to compare: measure its sweep first"):
        compare_runs(a, b)
    shutil.rmtree(b)
    b = make("b")
    resolved = json.loads((b / "resolved.json").read_text())
    (b / "resolved.json").write_text(json.dumps({**resolved, "schema": 99}))
    with pytest.raises(LabError, match="has schema 99"):
        compare_runs(a, b)


@pytest.mark.parametrize(("text", "value"), [("5%", 0.05), (" 2.5 % ", 0.025), ("0%", 0.0), (".5%", 0.005)])
def test_percentages(text: str, value: float) -> None:
    assert share(text) == pytest.approx(value)


@pytest.mark.parametrize("text", ["5", "-5%", "5 percent", "%", "nan%", "", "5%%", "1e3%"])
def test_what_is_no_percentage_is_refused(text: str) -> None:
    with pytest.raises(UserError, match="is not a percentage of at least 0 %: write, say, 5%"):
        share(text)
