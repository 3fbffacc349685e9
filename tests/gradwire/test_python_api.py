from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from matplotlib.figure import Figure

import gradwire
from gradwire.selecting import filters
from testbed.cli import cli
from testbed.labs.virtual import kernel
from testbed.sweep import SOME_FAILED, Request
from testbed.workloads import create
from tests import made_runs
from tests.docs.pages import ROOT, fences

SMOKE = ROOT / "sweeps" / "smoke.yaml"


@pytest.fixture(scope="module")
def smoke(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of the smoke sweep's twelve cells, made by formula."""
    folder = tmp_path_factory.mktemp("runs") / "smoke"
    made_runs.small(folder)
    return folder


def test_a_sweep_is_read_and_checked_at_once(tmp_path: Path) -> None:
    sweep = gradwire.Sweep.from_file(SMOKE)
    assert (sweep.name, len(sweep), repr(sweep)) == ("smoke", 12, "<Sweep smoke: 12 cells>")
    cells = sweep.cells()
    assert len(cells) == 12 and set(cells["status"]) == {"missing"} and set(cells["latency_s"]) == {0.13e-3, 20e-3}
    few = gradwire.Sweep.from_file(str(SMOKE), only={"bandwidth": "5 Mbit/s", "algorithm": ["allreduce", "d-psgd"]})
    assert len(few) == len(
        gradwire.Sweep.from_file(SMOKE, only=["bandwidth=5 Mbit/s", "algorithm=[allreduce, d-psgd]"])
    )
    assert len(few) == 4
    (tmp_path / "wrong.yaml").write_text("bandwith: 5 Mbit/s\n")
    with pytest.raises(gradwire.UserError, match="bandwith"):
        gradwire.Sweep.from_file(tmp_path / "wrong.yaml")
    with pytest.raises(gradwire.UserError, match="keeps no cell"):
        gradwire.Sweep.from_file(SMOKE, only={"workers": 99})


def test_filters_are_the_command_lines() -> None:
    assert filters({"topology": "star", "workers": [4, 8]}) == ("topology=star", "workers=4", "workers=8")
    assert filters(["seed=1"]) == filters("seed=1") == ("seed=1",)


def test_a_sweep_hands_on_what_it_is_asked(
    smoke: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[Request] = []

    def run_sweep(request: Request, labs: Any, console: Any) -> int:
        asked.append(request)
        console.print("measuring")
        return SOME_FAILED

    monkeypatch.setattr("gradwire.sweep.run_sweep", run_sweep)
    sweep = gradwire.Sweep.from_file(SMOKE, only={"seed": 1}, lab="virtual", containers="none")
    run = sweep.run(smoke, jobs=2, quiet=True)
    assert run.folder == smoke and capsys.readouterr().out == ""
    only = ("seed=1",)
    assert asked == [Request(file=SMOKE, run=smoke, lab="virtual", containers="none", only=only, jobs=2)]
    sweep.run(smoke)
    assert capsys.readouterr().out == "measuring\n"
    monkeypatch.setattr("gradwire.sweep.run_sweep", lambda *_: 130)
    with pytest.raises(KeyboardInterrupt):
        sweep.run(smoke)


def test_a_run_gives_what_the_command_line_gives(smoke: Path) -> None:
    run = gradwire.Run.open(smoke)
    assert run.name == "smoke" and run.provenance["versions"]["gradwire"] and str(smoke) in repr(run)
    done = CliRunner().invoke(cli, ["table", str(smoke)])
    assert run.table().to_csv(index=False) == done.stdout
    figure = run.figure("epoch-bandwidth", width=4.5)
    assert isinstance(figure, Figure) and figure.get_figwidth() == 4.5
    assert len(run.numbers("epoch-bandwidth", only={"algorithm": "d-psgd"})) == 4
    with pytest.raises(gradwire.UserError, match="choose one of epoch-bandwidth"):
        run.figure("epoch")


def test_a_figure_is_saved_with_its_numbers(smoke: Path, tmp_path: Path) -> None:
    path = gradwire.Run.open(smoke).save_figure("fastest", tmp_path / "a.svg", csv=tmp_path / "a.csv")
    assert path.read_text().startswith("<?xml") and (tmp_path / "a.csv").read_text().startswith("bandwidth_bit_per_s,")


@pytest.mark.parametrize(("made", "opened"), [(("i.html", "report.html"), "report.html"), (("i.html", None), "i.html")])
def test_the_page_to_open_is_the_report_where_there_is_one(
    smoke: Path, monkeypatch: pytest.MonkeyPatch, made: tuple[str, str | None], opened: str
) -> None:
    monkeypatch.setattr("gradwire.run.remake_figures", lambda folder: made)
    assert str(gradwire.Run.open(smoke).report()) == opened


def test_runs_are_compared(smoke: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(smoke, other)
    run = gradwire.Run.open(smoke)
    comparison = run.compare(other)
    assert comparison.answer == "None of 12 cells became slower or faster by more than noise."
    assert len(comparison.table()) == 12 and not comparison.fails("0%") and comparison.warnings == []
    assert comparison.markdown("5%").startswith("**None of 12 cells") and isinstance(comparison.figure(), Figure)
    assert comparison.write_page(tmp_path / "page.html", "5%").read_text().startswith("<!doctype html>")
    with pytest.raises(gradwire.UserError, match="the same run"):
        run.compare(run)
    with pytest.raises(gradwire.UserError, match="not a percentage"):
        comparison.fails("5")


@pytest.mark.parametrize("kind", ["newer", "damaged"])
def test_a_run_of_a_newer_version_and_a_damaged_one_are_said(kind: str, tmp_path: Path) -> None:
    made_runs.KINDS[kind](tmp_path / "run")
    with pytest.raises((gradwire.LabError, gradwire.UserError)):
        gradwire.Run.open(tmp_path / "run").table()


def test_what_is_no_run_is_said(smoke: Path, tmp_path: Path) -> None:
    with pytest.raises(gradwire.UserError, match="is no run folder"):
        gradwire.Run.open(tmp_path)
    with pytest.raises(gradwire.UserError, match="holds no training"):
        gradwire.TrainingRun.open(smoke)


def test_importing_it_imports_no_torch() -> None:
    code = "import sys, gradwire; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0


def require_data() -> None:
    try:
        create("resnet20").source  # noqa: B018  # looks for it
    except gradwire.UserError as error:
        pytest.skip(str(error))


def blocks() -> list[str]:
    return [fence.text for fence in fences("python") if fence.page.name == "python-api.md"]


def run_blocks(texts: list[str], folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Run blocks one after the other, as cells of a notebook, beside the project's files."""
    monkeypatch.chdir(folder)
    (folder / "sweeps").symlink_to(ROOT / "sweeps")
    text = (ROOT / "trainings" / "smoke.yaml").read_text()
    (folder / "trainings").mkdir()
    (folder / "trainings" / "smoke.yaml").write_text(
        text.replace("samples: 1024", "samples: 512").replace("epochs: 2", "epochs: 1")
    )
    names: dict[str, Any] = {}
    for text in texts:
        exec(compile(text, "docs/python-api.md", "exec"), names)
    return names


def test_the_pages_blocks_run_beside_a_run_that_is_measured(
    smoke: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("smoke", "before"):
        shutil.copytree(smoke, tmp_path / "runs" / name)
    assert any("Training" in text for text in blocks())
    names = run_blocks([text for text in blocks() if "Training" not in text], tmp_path, monkeypatch)
    assert len(names["good"]) == 12 and (tmp_path / "speedup.pdf").is_file()
    out = capsys.readouterr().out
    assert "0 cells to measure, 12 finished before" in out and "None of 12 cells became slower" in out
    assert "runs/nowhere is no run folder" in out


@pytest.mark.data
def test_the_pages_training_runs(smoke: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    require_data()
    shutil.copytree(smoke, tmp_path / "runs" / "smoke")
    opened = 'import gradwire\nrun = gradwire.Run.open("runs/smoke")'
    training = [text for text in blocks() if "Training" in text]
    names = run_blocks([opened, *training], tmp_path, monkeypatch)
    table = names["trained"].table()
    assert set(table["status"]) == {"ok"} and table["train_loss"].notna().all()
    assert gradwire.TrainingRun.open(tmp_path / "runs" / "training-smoke").report().is_file()


SMALL = """\
name: small
workers: 4
bandwidth: [100 Mbit/s, 1 Gbit/s]
latency: 1 ms
algorithm: allreduce
workload: resnet20
gradients: none
"""


@pytest.mark.data
@pytest.mark.virtual
@pytest.mark.skipif(kernel.find() is None, reason="the virtual lab's kernel is not built")
def test_sweeps_are_measured_and_compared(tmp_path: Path) -> None:
    require_data()
    file = tmp_path / "small.yaml"
    file.write_text(SMALL)
    before, after = (
        gradwire.Sweep.from_file(file, lab="virtual").run(tmp_path / name, jobs=1, quiet=True)
        for name in ("before", "after")
    )
    table = before.table()
    assert table["status"].tolist() == ["ok", "ok"] and table["faithful"].all()
    comparison = before.compare(after)
    assert set(comparison.table()["verdict"]) == {"no change"} and comparison.table()["paired"].all()
    assert comparison.table()["ratio"].between(0.995, 1.005).all()  # what the measurement contract admits
