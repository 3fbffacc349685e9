"""The commands that take seconds are run, as they are written, in a folder as a reader has it; sweep files are planned.

Three whole pages, with what measures and trains, are run by test_running_for_real.py; what takes hours, installs or
changes the machine is held against the command line only (test_fences.py): it has tests of its own.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from testbed.cell import Cell
from testbed.cli import cli
from testbed.specification import load_plan
from tests import made_runs
from tests.docs.commands import Command, commands_of
from tests.docs.pages import ROOT, fences

# Subcommands of gradwire that read and write files alone.
QUICK = frozenset({"compare", "figure", "guide", "report", "schema", "table", "trace"})
# Runs whose tables take long to make or to draw, or come of a training.
LONG = re.compile(r"report runs/default|training|quality")
ANY_CELL = "3f9c"  # in the texts: the beginning of some cell's id


def gradwire_commands() -> list[Command]:
    """Those of all texts, each once."""
    found = [command for fence in fences("sh") for command in commands_of(fence)]
    ours = [command for command in found if command.words and Path(command.words[0]).name == "gradwire"]
    return list({command.words: command for command in ours}.values())


def quick() -> list[Command]:
    """Those that are run here."""
    return [
        command
        for command in gradwire_commands()
        if "--list" in command.words or (command.words[1] in QUICK and not LONG.search(" ".join(command.words)))
    ]


def own_sweep() -> str:
    """The quick start's file for a network of one's own, `mine.yaml`."""
    (text,) = [fence.text for fence in fences("yaml") if fence.page.name == "quick-start.md"]
    return text


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the shipped files."""
    folder = tmp_path_factory.mktemp("reader")
    for name in ("sweeps", "trainings", "examples", "docs"):
        shutil.copytree(ROOT / name, folder / name)
    (folder / "mine.yaml").write_text(own_sweep())
    return folder


def make_run(folder: Path) -> None:
    """A run of the sweep that a folder is called by, else of the smoke sweep, with made measurements."""
    cells = cells_of(folder.name, folder.parents[1])
    made_runs.measure(made_runs.declare(folder, cells, folder.name), cells)


def cells_of(name: str, reader: Path) -> tuple[Cell, ...]:
    if name == "mine":
        return tuple(load_plan(reader / "mine.yaml", lambda: "virtual").cells)
    return made_runs.cells_of(name if (reader / "sweeps" / f"{name}.yaml").is_file() else "smoke")


def some_cell(run: Path) -> str:
    return min(path.stem for path in (run / "cells").iterdir())[:8]


def test_there_are_commands_of_most_kinds() -> None:
    assert {command.words[1] for command in quick()} >= {
        "compare",
        "figure",
        "figures",
        "guide",
        "report",
        "table",
        "trace",
    }


@pytest.mark.parametrize("command", quick(), ids=str)
def test_what_is_quick_works_as_it_is_written(command: Command, reader: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(reader)
    runs = [reader / word for word in command.words if re.fullmatch(r"runs/[\w-]+", word)]
    for run in runs:
        if not run.exists():
            make_run(run)
    words = [some_cell(runs[0]) if word == ANY_CELL else word for word in command.words[1:]]
    done = CliRunner().invoke(cli, words, catch_exceptions=False, standalone_mode=False)
    assert done.exception is None and done.return_value in (None, 0)
    assert len(done.stdout_bytes) > (100 if command.output else 10)


def sweeps_of_texts() -> Iterator[str]:
    for command in gradwire_commands():
        if command.words[1] == "sweep":
            yield command.words[2]


# mine.yaml is planned below; the example's needs its package, with which tests/examples plans it.
@pytest.mark.parametrize("file", sorted(set(sweeps_of_texts()) - {"mine.yaml", "examples/extension/sweep.yaml"}))
def test_every_sweep_that_is_told_of_can_be_planned(file: str) -> None:
    assert load_plan(ROOT / file, lambda: "virtual").cells


def test_every_whole_sweep_file_in_a_text_can_be_planned(tmp_path: Path) -> None:
    wholes = [fence for fence in fences("yaml") if "algorithm:" in fence.text and "bandwidth:" in fence.text]
    assert {"README.md", "quick-start.md", "sweep-file.md"} <= {fence.page.name for fence in wholes}
    for fence in wholes:
        if not fence.before.startswith("<!-- file: examples/"):
            file = tmp_path / "mine.yaml"
            file.write_text(fence.text)
            assert load_plan(file, lambda: "virtual").cells, fence
