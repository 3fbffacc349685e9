from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pandas as pd
import pytest
from click.testing import CliRunner, Result

from testbed.cli import cli
from testbed.errors import UserError
from testbed.paper_figure import draw, write
from testbed.results.run_folder import RunFolder
from testbed.specification import load_plan

SWEEP = """\
name: trial
workers: [4, 8]
bandwidth: [5 Mbit/s, 1.4 Gbit/s]
latency: 1 ms
algorithm: [allreduce, d-psgd]
"""


@pytest.fixture
def run(tmp_path: Path, scripted: ModuleType) -> Path:
    """Two settings, of 4 and of 8 workers, two bandwidths each."""
    file = tmp_path / "trial.yaml"
    file.write_text(SWEEP)
    plan = load_plan(file, lambda: "virtual", lambda cell: cell)
    folder = RunFolder(tmp_path / "run")
    with folder.locked():
        folder.declare(plan.name, plan.text, plan.cells, [1e-3] * len(plan.cells))
        for cell in plan.cells:
            folder.store(cell, scripted.measurement(cell))
    return folder.path


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(cli, ["figure", *map(str, arguments)], standalone_mode=False)


def test_a_figure_and_its_numbers(run: Path, tmp_path: Path) -> None:
    pdf, numbers = tmp_path / "a.pdf", tmp_path / "a.csv"
    arguments = ("epoch-bandwidth", "--run", run, "--only", "workers=4", "--output", pdf, "--csv", numbers)
    done = invoke(*arguments)
    assert done.exception is None, done.exception
    assert done.output.splitlines()[:2] == [f"figure: {pdf}", f"numbers: {numbers}"]
    assert done.output.splitlines()[2].startswith("caption: Epoch time against bandwidth: star, 4 workers; band: 95 %")
    assert pdf.read_bytes().startswith(b"%PDF")
    table = pd.read_csv(numbers)
    assert len(table) == 4 and table["state"].tolist() == ["measured"] * 4
    before = pdf.read_bytes()
    invoke(*arguments)
    assert pdf.read_bytes() == before


def test_the_format_is_that_of_the_name(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    drawn = draw(run, "fastest", only=["workers=8"])
    assert write(drawn, "fastest", None, None, None) == [Path("fastest.pdf")]
    assert write(drawn, "fastest", None, Path("x.svg"), None) == [Path("x.svg")]
    assert Path("x.svg").read_bytes().startswith(b"<?xml")
    assert write(drawn, "fastest", "png", None, None) == [Path("fastest.png")]
    for kind, output, words in (
        ("pdf", Path("x.svg"), "ends in .svg, and --format is pdf"),
        (None, Path("x.jpg"), "format 'jpg' is none of a figure's: choose one of pdf, svg, png"),
        (None, Path("none/x.pdf"), "the folder none does not exist"),
    ):
        with pytest.raises(UserError, match=words):
            write(drawn, "fastest", kind, output, None)


def test_mistakes_are_said(run: Path, tmp_path: Path) -> None:
    (tmp_path / "training").mkdir()
    (tmp_path / "training" / "trials.json").write_text("{}")
    for arguments, words in (
        (("epoch", "--run", run), "figure epoch is not known: choose one of epoch-bandwidth"),
        (("fastest", "--run", run), "has 2 settings, and a figure shows one: choose it with --only"),
        (("epoch-latency", "--run", run, "--only", "workers=4"), "needs two values of latency or more: it has what"),
        (("fastest", "--run", run, "--width", "page"), "width 'page' is neither"),
        (("fastest", "--run", tmp_path), "is no run folder"),
        (("fastest", "--run", tmp_path / "training"), "holds a training"),
    ):
        found = invoke(*arguments)
        assert isinstance(found.exception, UserError) and words in str(found.exception), found.exception


def test_a_run_without_results_has_nothing_to_draw(run: Path) -> None:
    for path in (run / "cells").iterdir():
        path.unlink()
    with pytest.raises(UserError, match="has no measured cell to draw"):
        draw(run, "fastest")
