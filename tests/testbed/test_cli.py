from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from rich.console import Console

from testbed.cli import cli
from testbed.sweep import Request, run_sweep

MAIN = "import sys; from testbed.cli import main; sys.argv[0] = 'gradwire'; main()"


def gradwire(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", MAIN, *arguments], capture_output=True, text=True, timeout=60)


@pytest.fixture
def run(sweep_file: Path, scripted: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run of four cells, its figures not drawn."""
    monkeypatch.setattr("reports.write", lambda table, provenance, folder: [])
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
        "sweep", "report", "table", "doctor", "fidelity", "profile", "data", "clean", "schema",
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
        (["table", "/nowhere"], "gradwire: /nowhere is no run folder"),
        (["report", "/nowhere"], "gradwire: /nowhere is no run folder"),
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
    report = gradwire("report", str(run))
    assert report.returncode == 0 and (run / "table.parquet").is_file()
    assert Path(report.stdout.removeprefix("figures: ").strip()).is_file()


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
