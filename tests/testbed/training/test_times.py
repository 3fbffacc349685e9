"""Losses against the time that a sweep measured."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType

import pandas as pd
import pytest
from click.testing import CliRunner
from rich.console import Console

from testbed.cli import cli
from testbed.errors import UserError
from testbed.results.run_folder import RunFolder
from testbed.results.table import row
from testbed.specification.catalogue import installed
from testbed.sweep import Request, run_sweep
from testbed.workloads.normalisation import NormalisedOptions

SWEEP = """\
name: swept
workers: 3
bandwidth: [5 Mbit/s, 1.4 Gbit/s]
latency: 1 ms
batch_size: 5
algorithm: [allreduce, {name: d-psgd, codec: fp32}]
"""
TRAINING = "algorithm: [allreduce, d-psgd]\nepochs: 2\n"


@pytest.fixture
def swept(tmp_path: Path, scripted: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The run of a sweep of two algorithms on two networks, with the workload's name for that of the training's."""
    import dataclasses

    monkeypatch.setattr("reports.write", lambda table, provenance, folder: [folder / "index.html"])
    file, run = tmp_path / "swept.yaml", tmp_path / "swept"
    file.write_text(SWEEP)
    request = Request(file=file, run=run, jobs=1)
    lab = scripted.ScriptedLab()
    complete = lambda cell: dataclasses.replace(installed(cell), workload="tiny")  # noqa: E731
    assert run_sweep(request, lab, Console(quiet=True), complete=complete) == 0
    return run


def test_an_epochs_time_is_its_steps_times_that_of_a_step(train, swept: Path) -> None:
    assert train(TRAINING, times=swept) == 0
    frame = pd.read_parquet(train.folder / "table.parquet")
    assert len(frame) == 2 * 2 * 2  # algorithms, networks, epochs
    cells = [row(cell, RunFolder(swept).document(cell)) for cell in RunFolder(swept).declared()]
    for cell in cells:
        ours = frame[frame["cell"] == cell["cell"]]
        assert list(ours["algorithm"]) == [cell["algorithm"]] * 2
        assert list(ours["bandwidth_bit_per_s"]) == [cell["bandwidth_bit_per_s"]] * 2
        assert list(ours["emulated_s"]) == pytest.approx([4 * cell["step_s"], 8 * cell["step_s"]])
        each = cell["epoch_ci95_s"] * 4 / cell["steps_per_epoch"]
        assert list(ours["emulated_ci95_s"]) == pytest.approx([each, 2 * each])
    plain = frame[["algorithm", "epoch", "train_loss"]].drop_duplicates()
    assert len(plain) == 4  # the losses depend on no network


def test_networks_are_chosen_as_a_sweeps_are_and_times_can_come_later(train, swept: Path) -> None:
    assert train(TRAINING) == 0
    assert pd.read_parquet(train.folder / "table.parquet")["emulated_s"].isna().all()
    assert train(TRAINING, times=swept, only=["bandwidth=5 Mbit/s"]) == 0
    assert "0 trials to train, 2 ended before" in train.said
    frame = pd.read_parquet(train.folder / "table.parquet")
    assert len(frame) == 4 and set(frame["bandwidth_bit_per_s"]) == {5e6}


def test_what_no_cell_has_is_said(train, swept: Path) -> None:
    text = "algorithm: {name: allreduce, codec: qsgd}\nepochs: 1\n"
    assert train(text, times=swept) == 0
    assert f"no cell of {swept} has its codec and codec's options: measure one that has" in train.said
    assert pd.read_parquet(train.folder / "table.parquet")["emulated_s"].isna().all()


def test_options_that_change_a_workloads_model_must_be_the_same(train, swept: Path, tiny, monkeypatch) -> None:
    class Options(NormalisedOptions):
        width: int = 8

    monkeypatch.setattr(tiny.Tiny, "Options", Options)
    train.BASE = "workers: 3\nbatch_size: 5\n"
    assert train(TRAINING + "workload: {name: tiny, samples: 30, statistics: local}\n", times=swept) == 0
    assert not pd.read_parquet(train.folder / "table.parquet")["emulated_s"].isna().any()
    wider = "algorithm: allreduce\nepochs: 1\nworkload: {name: tiny, width: 9}\n"
    assert train(wider, run=swept.with_name("wider"), times=swept) == 0
    assert "has its workload's options: measure one that has" in train.said


def test_options_that_take_no_time_make_no_difference(train, swept: Path) -> None:
    assert train(TRAINING + "momentum: 0.5\nweight_decay: 0\npartition: sorted\nseeds: 7\n", times=swept) == 0
    assert not pd.read_parquet(train.folder / "table.parquet")["emulated_s"].isna().any()


def test_mistakes_are_found_before_training(train, swept: Path) -> None:
    with pytest.raises(UserError, match="--only chooses cells of the run that --times names"):
        train(TRAINING, only=["topology=star"])
    with pytest.raises(UserError, match="is no run folder"):
        train(TRAINING, times=swept.with_name("nothing"))
    with pytest.raises(UserError, match="keeps no cell"):
        train(TRAINING, times=swept, only=["bandwidth=7 Mbit/s"])
    for document in (swept / "cells").iterdir():
        document.unlink()
    with pytest.raises(UserError, match="none of its cells that --only keeps was measured"):
        train(TRAINING, times=swept)
    assert not train.folder.exists()


def test_the_table_is_printed_by_the_command_of_sweeps(train, swept: Path) -> None:
    train(TRAINING, times=swept)
    shown = CliRunner().invoke(cli, ["table", str(train.folder)])
    assert shown.exit_code == 0 and len(shown.stdout.splitlines()) == 1 + 8
    markdown = CliRunner().invoke(cli, ["table", str(train.folder), "--format", "markdown"])
    assert markdown.exit_code == 0 and "emulated_s" in markdown.stdout.splitlines()[0]
    assert json.loads((train.folder / "times.json").read_text())["run"] == str(swept)
