from __future__ import annotations

import dataclasses
import errno
import io
import itertools
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import pandas as pd
import pytest
from rich.console import Console

from testbed.cell import Cell
from testbed.errors import LabError, UserError
from testbed.labs.lab import CellFinished
from testbed.measuring import in_order
from testbed.results.run_folder import RunFolder
from testbed.specification import load_plan
from testbed.sweep import Request, run_sweep


class Sweeper:
    """Runs the sweep file in a folder, with a lab, and keeps what was said."""

    def __init__(self, file: Path) -> None:
        self.file, self.folder, self.said = file, file.parent / "run", ""

    def __call__(self, lab, only: tuple[str, ...] = (), jobs: int = 1) -> int:
        output = io.StringIO()
        request = Request(file=self.file, run=self.folder, only=only, jobs=jobs)
        try:
            return run_sweep(request, lab, Console(file=output, width=200), complete=lambda cell: cell)
        finally:
            self.said = output.getvalue()

    def cells(self) -> list[Path]:
        return sorted((self.folder / "cells").glob("*.json"))


@pytest.fixture
def drawing_sweep(sweep_file: Path) -> Sweeper:
    return Sweeper(sweep_file)


@pytest.fixture
def sweep(drawing_sweep: Sweeper, monkeypatch: pytest.MonkeyPatch) -> Sweeper:
    """Without figures, which take seconds."""
    monkeypatch.setattr("reports.write", lambda table, provenance, folder: [folder / "index.html"])
    return drawing_sweep


def test_measures_all_and_leaves_table_and_figures(drawing_sweep: Sweeper, scripted: ModuleType) -> None:
    sweep = drawing_sweep
    assert sweep(scripted.ScriptedLab()) == 0
    table = pd.read_parquet(sweep.folder / "table.parquet")
    assert list(table["status"]) == ["ok"] * 4
    assert "4 of 4 cells done, 0 failed" in sweep.said
    assert "cells per minute" in sweep.said and "emulated seconds per real second" in sweep.said
    assert "each link of a star delays 0.25 ms for 1 ms" in sweep.said
    index = Path(sweep.said.rpartition("figures: ")[2].strip())
    assert index.is_file() and index.is_relative_to(sweep.folder)
    assert f"report: {sweep.folder / 'report.html'}" in sweep.said and (sweep.folder / "report.html").is_file()
    provenance = RunFolder(sweep.folder).provenance()
    assert provenance["labs"]["virtual"] == {"kernel": "6.12 um"} and provenance["name"] == "trial"


def test_steps_that_ended_before_their_schedule_are_said(sweep: Sweeper, scripted: ModuleType) -> None:
    sweep.file.write_text(sweep.file.read_text() + "schedule: [{at: 3 s, loss: 1 %}]\n")

    def script(cell: Cell) -> dict[str, Any]:
        document: dict[str, Any] = scripted.measurement(cell)
        for repetition in document["repetitions"]:
            moment = {"change": 0, "ends": False, "at_s": 3.0, "applied_s": 3.0 if cell.algorithm == "d-psgd" else None}
            repetition |= {"begins_s": 0.5, "changes": [moment]}
        return document

    assert sweep(scripted.ScriptedLab(script)) == 0
    said = sweep.said.replace("\n", " ")
    assert "warning: 2 took too few steps for the whole schedule (column changes_missed)" in said
    assert "allreduce fp32, schedule 3 s: loss 1 %" in said.partition("warning: 2")[2]
    assert "d-psgd" not in said.partition("warning: 2")[2]


def test_rerunning_does_only_what_is_missing(sweep: Sweeper, scripted: ModuleType) -> None:
    assert sweep(scripted.ScriptedLab(), only=("algorithm=allreduce",)) == 0
    assert len(sweep.cells()) == 2
    second, third = scripted.ScriptedLab(), scripted.ScriptedLab()
    assert sweep(second) == 0
    assert {cell.algorithm for cell in second.measured} == {"d-psgd"}
    assert sweep(third) == 0 and not third.measured


def test_failed_cells_are_listed_by_reason_and_the_sweep_goes_on(sweep: Sweeper, scripted: ModuleType) -> None:
    lab = scripted.ScriptedLab(
        lambda cell: "worker 2 raised" if cell.algorithm == "d-psgd" else scripted.measurement(cell)
    )
    assert sweep(lab) == 1
    assert len(lab.measured) == 4 and len(sweep.cells()) == 2
    assert "2 failed: worker 2 raised: star, 4 workers, 5 Mbit/s, 1 ms, d-psgd fp32" in sweep.said
    assert sorted(pd.read_parquet(sweep.folder / "table.parquet")["status"]) == [
        "failed",
        "failed",
        "ok",
        "ok",
    ]
    assert sweep(scripted.ScriptedLab()) == 0  # failed cells are tried again
    assert len(sweep.cells()) == 4


def test_a_result_that_cannot_be_used_fails_its_cell_only(sweep: Sweeper, scripted: ModuleType) -> None:
    lab = scripted.ScriptedLab(lambda cell: {} if cell.algorithm == "d-psgd" else scripted.measurement(cell))
    assert sweep(lab) == 1
    assert len(sweep.cells()) == 2 and "its result cannot be used: it lacks repetitions" in sweep.said


def captured(scripted: ModuleType, dropped: int) -> Callable[[Cell], dict[str, Any]]:
    """Measurements with a capture of one link."""
    links = {"w0-s0": {"interface": "gw0-w0-eth0", "packets": 1000, "dropped": dropped}}
    return lambda cell: scripted.measurement(cell) | {"capture": {"snap_bytes": 128, "links": links}}


def test_packets_that_a_capture_lacks_are_a_warning(sweep: Sweeper, scripted: ModuleType) -> None:
    assert sweep(scripted.ScriptedLab(captured(scripted, dropped=12)), only=("algorithm=allreduce",)) == 0
    warning = "warning: star, 4 workers, 5 Mbit/s, 1 ms, allreduce fp32: its packet captures are not complete"
    assert warning in sweep.said and "(12 of w0-s0)" in sweep.said
    assert sweep(scripted.ScriptedLab(captured(scripted, dropped=0))) == 0
    assert "warning" not in sweep.said


def test_captures_that_cannot_be_kept_fail_their_cell_only(
    sweep: Sweeper, scripted: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class CapturingLab(scripted.ScriptedLab):  # type: ignore[name-defined,misc]
        def run(self, cells, report, stop, jobs) -> None:
            def with_captures(event) -> None:
                absent = tmp_path / "absent" if isinstance(event, CellFinished) else None
                is_first = absent and self.measured[-1] is self.measured[0]
                report(dataclasses.replace(event, captures=absent) if is_first else event)

            super().run(cells, with_captures, stop, jobs)

    assert sweep(CapturingLab()) == 1
    assert len(sweep.cells()) == 3
    assert "1 failed: its packet captures could not be kept in" in sweep.said


def test_a_full_disk_stops_the_sweep_and_loses_nothing(
    sweep: Sweeper, scripted: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    really = os.fsync

    def full_from_the_third_cell(descriptor: int) -> None:
        if len(sweep.cells()) >= 2 and stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        really(descriptor)

    lab = scripted.ScriptedLab()
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full_from_the_third_cell)
        with pytest.raises(LabError, match="the disk is full"):
            sweep(lab)
    kept = len(sweep.cells())
    assert kept == 2 and len(lab.measured) == 3
    rest = scripted.ScriptedLab()
    assert sweep(rest) == 0 and len(rest.measured) == 4 - kept


def test_a_full_disk_while_drawing_is_one_sentence(
    sweep: Sweeper, scripted: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(table, provenance, folder) -> list[Path]:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder / "fastest.png"))

    monkeypatch.setattr("reports.write", full)
    with pytest.raises(LabError, match=r"the disk is full: .*fastest.png could not be written; .* make room"):
        sweep(scripted.ScriptedLab())
    assert len(sweep.cells()) == 4


def test_a_lab_that_ends_without_a_word_is_no_success(sweep: Sweeper, scripted: ModuleType) -> None:
    lab = scripted.ScriptedLab()
    lab.run = lambda cells, report, stop, jobs: None
    assert sweep(lab) == 1
    assert "4 failed: the lab ended without a word" in sweep.said


def test_a_damaged_result_is_named(sweep: Sweeper, scripted: ModuleType) -> None:
    sweep(scripted.ScriptedLab())
    sweep.cells()[0].write_text("{")
    with pytest.raises(LabError, match=sweep.cells()[0].name):
        sweep(scripted.ScriptedLab())


@contextmanager
def hanging(sweep_file: Path, run: Path, whole: int) -> Iterator[subprocess.Popen[str]]:
    """The scripted sweep as a process of its own, once it hangs in a cell."""
    script = Path(__file__).with_name("scripted_sweep.py")
    command = [sys.executable, str(script), str(sweep_file), str(run), str(whole)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            deadline = time.monotonic() + 60
            while not Path(f"{run}.hanging").exists():
                assert process.poll() is None and time.monotonic() < deadline
                time.sleep(0.02)
            yield process
        finally:
            process.kill()


def test_ctrl_c_keeps_what_is_finished_and_says_how_to_go_on(sweep: Sweeper, scripted: ModuleType) -> None:
    with hanging(sweep.file, sweep.folder, 2) as process:
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "2 of 4 cells are kept" in output and "Traceback" not in output
    assert f"go on with: gradwire sweep {sweep.file} --run {sweep.folder} --jobs 1" in output
    rest = scripted.ScriptedLab()
    assert sweep(rest) == 0 and len(rest.measured) == 2


def test_after_kill_9_a_rerun_measures_only_the_rest(sweep: Sweeper, scripted: ModuleType) -> None:
    with hanging(sweep.file, sweep.folder, 3) as process:
        with pytest.raises(UserError, match="in use by another sweep"):
            sweep(scripted.ScriptedLab())
        process.kill()
        process.wait(timeout=30)
    assert len(sweep.cells()) == 3
    rest = scripted.ScriptedLab()
    assert sweep(rest) == 0 and len(rest.measured) == 1


def test_equal_topologies_and_then_equal_networks_are_adjacent(tmp_path: Path) -> None:
    path = tmp_path / "trial.yaml"
    path.write_text(
        "seed: [1, 2]\nworkers: [4, 8]\nbandwidth: [5mbit, 10mbit]\nlatency: 1ms\n"
        "topology: [ring, star]\nalgorithm: [allreduce, d-psgd]\n"
    )
    cells = load_plan(path, lambda: "virtual", lambda cell: cell).cells
    ordered = in_order(cells)
    assert {cell.id for cell in ordered} == {cell.id for cell in cells}

    def changes(key) -> int:
        keys = [key(cell) for cell in ordered]
        return sum(a != b for a, b in itertools.pairwise(keys))

    def group(cell: Cell) -> tuple[str, int]:
        return cell.network.topology, cell.network.workers

    assert changes(group) == 4 - 1
    assert changes(lambda cell: cell.network) == 8 - 1
