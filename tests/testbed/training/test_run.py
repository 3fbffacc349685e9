from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import pandas as pd
import pytest
from click.testing import CliRunner

from testbed.cli import cli
from testbed.errors import LabError, UserError
from testbed.results import atomic
from testbed.results.run_folder import RunFolder
from testbed.training.folder import TrainingFolder

THREE = "algorithm: {name: dcd-psgd, codec: qsgd}\nworkload: {name: tiny, statistics: local}\nepochs: 3\n"


@pytest.fixture
def train(train):
    train.BASE = "workers: 3\nbatch_size: 5\n"
    return train


def tiny(text: str) -> str:
    return f"workload: tiny\n{text}"


def test_records_and_a_table_are_left(train) -> None:
    assert train(tiny("algorithm: allreduce\nepochs: 2\nseeds: [1, 2]\n")) == 0
    frame = pd.read_parquet(train.folder / "table.parquet")
    assert list(frame["seed"]) == [1, 1, 2, 2] and list(frame["epoch"]) == [1, 2, 1, 2]
    assert set(frame["status"]) == {"ok"} and set(frame["dataset"]) == {"tiny"}
    assert list(frame["handed_bytes_so_far"]) == pytest.approx(list(frame["handed_bytes_per_worker"] * frame["epoch"]))
    assert frame["train_loss"].gt(0).all() and frame["metric_name"].eq("accuracy").all()
    assert "2 ok, 0 diverged, 0 failed of 2 trials" in train.said and "epoch 2 of 2: loss" in train.said
    assert TrainingFolder(train.folder).sessions.read()["name"] == "trial"
    assert not list((train.folder / "checkpoints").iterdir())


def test_a_training_ends_with_figures_and_report_makes_them_again(train) -> None:
    assert train(tiny("algorithm: allreduce\nepochs: 2\nseeds: [1, 2]\n")) == 0
    figures = train.folder / "figures"
    assert f"figures: {figures / 'index.html'}" in train.said
    report = train.folder / "report.html"
    assert f"report: {report}" in train.said and b"2 trials: 2 ok." in report.read_bytes()
    made = {path.name: path.read_bytes() for path in figures.iterdir()}
    assert "epochs-tiny-3-workers.png" in made and b"2 trials: 2 ok." in made["index.html"]
    shutil.rmtree(figures)
    assert CliRunner().invoke(cli, ["report", str(train.folder)]).exit_code == 0
    assert {path.name: path.read_bytes() for path in figures.iterdir()} == made


def test_rerunning_trains_only_what_is_missing(train) -> None:
    assert train(tiny("algorithm: allreduce\nepochs: 1\n")) == 0
    assert train(tiny("algorithm: [allreduce, naive]\nepochs: 1\n")) == 0
    assert "1 trials to train, 1 ended before" in train.said and len(train.records()) == 2


def test_a_training_that_diverges_does_not_keep_the_others_back(train) -> None:
    assert train(tiny("algorithm: allreduce\nepochs: 2\nrate: [1.0e+30, 0.1]\n")) == 0
    wild, tame = train.records()
    assert (wild["status"], tame["status"]) == ("diverged", "ok") and len(tame["epochs"]) == 2
    assert "1 ok, 1 diverged, 0 failed" in train.said and "diverged in epoch 1" in train.said
    frame = pd.read_parquet(train.folder / "table.parquet")
    assert list(frame["status"]) == ["diverged", "ok", "ok"] and list(frame["epoch"]) == [1, 1, 2]
    assert pd.isna(frame["train_loss"][0]) and "step" in frame["reason"][0]
    assert train(tiny("algorithm: allreduce\nepochs: 2\nrate: [1.0e+30, 0.1]\n")) == 0
    assert "0 trials to train" in train.said


def test_a_failure_is_kept_with_its_reason_and_tried_again(
    train, tiny_module: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = tiny("algorithm: allreduce\nepochs: 2\nseeds: [1, 2, 3]\n")
    expected = train.folder.with_name("whole")
    assert train(text, run=expected) == 0
    whole = tiny_module.Tiny.loss

    def breaks(self, model, batch, state):
        if self.seed == 2:
            raise RuntimeError("out of memory")
        return whole(self, model, batch, state)

    with monkeypatch.context() as patch:
        patch.setattr(tiny_module.Tiny, "loss", breaks)
        assert train(text) == 1
    assert "failed: tiny, 3 workers, allreduce fp32, rate 0.05, seed 2: RuntimeError: out of memory" in train.said
    frame = pd.read_parquet(train.folder / "table.parquet")
    assert list(frame["status"]) == ["ok", "ok", "failed", "ok", "ok"]
    assert train(text) == 0 and "1 trials to train, 2 ended before" in train.said
    assert train.records() == train.records(expected)


def test_a_full_disk_stops_the_training_and_loses_nothing(train, monkeypatch: pytest.MonkeyPatch) -> None:
    text = tiny("algorithm: allreduce\nepochs: 2\nseeds: [1, 2]\n")
    really = atomic.write_bytes

    def full_from_the_second_trial(path: Path, content: bytes) -> None:
        if path.parent.name == "records" and json.loads(content)["trial"]["seed"] == 2:
            raise LabError("the disk is full")
        really(path, content)

    with monkeypatch.context() as patch:
        patch.setattr(atomic, "write_bytes", full_from_the_second_trial)
        with pytest.raises(LabError, match="the disk is full"):
            train(text)
    assert len(train.records()) == 1
    assert train(text) == 0 and "1 trials to train, 1 ended before" in train.said


def test_folders_of_sweeps_and_of_trainings_are_told_apart(train, tmp_path: Path) -> None:
    (tmp_path / "swept").mkdir()
    (tmp_path / "swept" / "resolved.json").write_text("{}")
    with pytest.raises(UserError, match="holds the run of a sweep: give another folder with --run"):
        train(tiny("algorithm: allreduce\nepochs: 1\n"), run=tmp_path / "swept")
    train(tiny("algorithm: allreduce\nepochs: 1\n"))
    with pytest.raises(UserError, match="holds a training: give another"), RunFolder(train.folder).locked():
        pass


def test_damaged_files_are_named(train) -> None:
    text = tiny("algorithm: allreduce\nepochs: 1\n")
    train(text)
    folder = TrainingFolder(train.folder)
    (trial,) = folder.declared()
    (train.folder / "records" / f"{trial.id}.json").write_text("{")
    with pytest.raises(LabError, match=r"is damaged \(it is not JSON\): remove that file and run the training again"):
        train(text)
    (train.folder / "checkpoints" / f"{trial.id}.pt").write_bytes(b"no checkpoint")
    with pytest.raises(LabError, match=r"is damaged: remove it, and the trial begins anew"):
        folder.checkpoint(trial)


@contextmanager
def another_process(file: Path, run: Path, hang_at: int) -> Iterator[subprocess.Popen[str]]:
    """The training in a process of its own, once it hangs, or has begun."""
    script = Path(__file__).with_name("tiny.py")
    command = [sys.executable, str(script), str(file), str(run), str(hang_at)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            deadline = time.monotonic() + 60
            while not Path(f"{run}.sign").exists():
                assert process.poll() is None and time.monotonic() < deadline
                time.sleep(0.02)
            yield process
        finally:
            process.kill()


def test_after_kill_9_the_numbers_are_those_of_a_training_that_was_not_killed(train, tmp_path: Path) -> None:
    whole = tmp_path / "whole"
    assert train(THREE, run=whole) == 0
    file = train.write(THREE)
    killed_in_step = 4 + 2  # the second of the second epoch; 3 gradients a step
    with another_process(file, train.folder, 3 * killed_in_step + 2) as process:
        with pytest.raises(UserError, match="in use by another training"):
            train(THREE)
        process.send_signal(signal.SIGKILL)
        process.wait(timeout=30)
    (record,) = train.records()
    assert record["status"] == "running" and len(record["epochs"]) == 1
    assert len(list((train.folder / "checkpoints").iterdir())) == 1
    trial = TrainingFolder(train.folder).declared()[0]
    checkpoint = TrainingFolder(train.folder).checkpoint(trial)
    assert checkpoint is not None and checkpoint["step"] == killed_in_step
    assert train(THREE) == 0
    assert train.records() == train.records(whole)
    assert not list((train.folder / "checkpoints").iterdir())


def test_ctrl_c_says_how_to_go_on_and_the_numbers_stay_the_same(train, tmp_path: Path) -> None:
    whole, text = tmp_path / "whole", THREE.replace("epochs: 3", "epochs: 10")
    assert train(text, run=whole) == 0
    file = train.write(text)
    with another_process(file, train.folder, 0) as process:
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=30)
    assert process.returncode == 130 and "Traceback" not in output
    assert "stopped; 0 of 1 trials are kept" in output
    assert f"go on with: gradwire train {file} --run {train.folder}" in output
    (record,) = train.records()
    assert record["status"] == "running" and len(record["epochs"]) < 10
    assert train(text) == 0
    assert train.records() == train.records(whole)


def test_other_data_than_it_was_begun_with_are_refused(train, tmp_path: Path, tiny_module: ModuleType) -> None:
    file = train.write(THREE)
    with another_process(file, train.folder, 8):
        pass
    folder = TrainingFolder(train.folder)
    (trial,) = folder.declared()
    kept = folder.checkpoint(trial)
    assert kept is not None
    folder.save_checkpoint(trial, kept | {"digest": "of other data"})
    assert train(THREE) == 1 and "it was begun with other data than tiny" in train.said
