from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from click.testing import CliRunner
from rich.console import Console

from testbed.cli import cli
from testbed.sweep import Request, run_sweep

MAIN = "import sys; from testbed.cli import main; sys.argv[0] = 'gradwire'; main()"


def gradwire(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", MAIN, *arguments], capture_output=True, text=True, timeout=60)


@pytest.fixture
def run(sweep_file: Path, scripted: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run of four cells, with an index but without figures, which take seconds."""
    writing = importlib.import_module("reports.write")  # the package's attribute of that name is the function
    monkeypatch.setattr(writing, "figure_kinds", list)
    monkeypatch.setattr(writing, "page_kinds", list)
    folder = sweep_file.parent / "run"
    request = Request(file=sweep_file, run=folder, jobs=1)
    run_sweep(request, scripted.ScriptedLab(), Console(quiet=True), complete=lambda cell: cell)
    return folder


@pytest.mark.parametrize("command", ["", *cli.commands])
def test_every_help_has_an_example(command: str) -> None:
    context = cli.make_context("gradwire", [command] if command else [], resilient_parsing=True)
    shown = cli.commands[command] if command else cli
    assert f"gradwire {command or 'sweep'}" in shown.get_help(context).partition("Example")[2]


def test_the_promised_commands_are_there() -> None:
    assert set(cli.commands) == {
        "sweep", "train", "figures", "run", "report", "compare", "figure", "table", "trace", "guide", "doctor",
        "fidelity", "profile", "data", "clean", "schema", "watch",
    }  # fmt: skip


def test_help_imports_nothing_slow() -> None:
    code = (
        "import sys, testbed.cli\n"
        "slow = {'torch', 'numpy', 'pandas', 'matplotlib', 'pint', 'pydantic', 'rich', 'mininet', 'scipy'}\n"
        "sys.exit(', '.join(slow & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stderr.strip() == ""


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["sweep", "/nowhere/x.yaml"], "gradwire: sweep file /nowhere/x.yaml does not exist"),
        (["train", "/nowhere/x.yaml"], "gradwire: training file /nowhere/x.yaml does not exist"),
        (["table", "/nowhere"], "gradwire: /nowhere is no run folder"),
        (["report", "/nowhere"], "gradwire: /nowhere is no run folder"),
        (["trace", "/nowhere"], "gradwire: /nowhere is no run folder"),
        (["sweep", "x.yaml", "--lab", "cloud"], "'cloud' is not one of 'auto', 'virtual'"),
        (["sweep", "x.yaml", "--containers", "lxc"], "'lxc' is not one of 'none', 'docker'"),
        (
            ["figures", "tang2018-figur1"],
            "gradwire: figure tang2018-figur1 is not known: did you mean tang2018-figure1?",
        ),
        (["swep"], "No such command 'swep'"),
        (["sweep"], "Missing argument 'FILE'"),
        (["table", "x", "--format", "xlsx"], "'xlsx' is not one of"),
    ],
)
def test_a_mistake_is_said_without_a_traceback(arguments: list[str], words: str) -> None:
    done = gradwire(*arguments)
    assert done.returncode == 2 and done.stdout == ""
    assert words in done.stderr and "Traceback" not in done.stderr


def test_a_damaged_run_is_a_fault(run: Path) -> None:
    next((run / "cells").iterdir()).write_text("{")
    done = gradwire("table", str(run))
    assert done.returncode == 1 and "is damaged" in done.stderr and "Traceback" not in done.stderr


def test_table_and_report_of_a_run(run: Path) -> None:
    table = gradwire("table", str(run), "--format", "markdown")
    assert table.returncode == 0 and len(table.stdout.splitlines()) == 2 + 4
    (run / "table.parquet").unlink()
    report = CliRunner().invoke(cli, ["report", str(run)])
    assert report.exit_code == 0 and (run / "table.parquet").is_file()
    page, figures = (Path(line.partition(": ")[2]) for line in report.stdout.splitlines())
    assert page == run / "report.html" and page.is_file() and figures.is_file()


def test_a_cell_without_a_trace_is_said(run: Path) -> None:
    done = gradwire("trace", str(run), "--only", "algorithm=allreduce", "--only", "bandwidth=5 Mbit/s")
    assert done.returncode == 2 and "has no trace" in done.stderr and "Traceback" not in done.stderr


def test_a_full_disk_is_said_without_a_traceback(run: Path) -> None:
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-c", MAIN, "table", str(run)]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 1
    assert done.stderr == "gradwire: [Errno 28] No space left on device\n"


def test_sweep_hands_on_what_it_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Request] = []
    monkeypatch.setattr("testbed.sweep.run_sweep", lambda request, *_: asked.append(request))
    CliRunner().invoke(
        cli,
        [
            "sweep",
            "x.yaml",
            "--run",
            "r",
            "--lab",
            "virtual",
            "--containers",
            "none",
            "--only",
            "seed=1",
            "--jobs",
            "2",
        ],
    )
    assert asked == [
        Request(file=Path("x.yaml"), run=Path("r"), lab="virtual", containers="none", only=("seed=1",), jobs=2)
    ]


def test_profile_hands_on_what_it_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, object] = {}
    monkeypatch.setattr("testbed.profiles.measure.measure_profile", lambda **named: asked.update(named))
    CliRunner().invoke(cli, ["profile", "--output", "own.yaml", "--workload", "resnet20", "--batch-size", "64"])
    asked.pop("say")
    assert asked == {"device": "cpu", "workloads": ("resnet20",), "batch_size": 64, "output": Path("own.yaml")}


def test_a_reader_that_leaves_early_is_no_fault_to_see(run: Path) -> None:
    done = subprocess.run(
        f'{sys.executable} -c "{MAIN}" table {run} --format csv | true',
        shell=True,
        capture_output=True,
        text=True,
    )
    assert "Traceback" not in done.stderr


def test_schema() -> None:
    assert '"bandwidth"' in gradwire("schema").stdout
