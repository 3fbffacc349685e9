"""Trainings with a network: the same numbers, and times beside them."""

from __future__ import annotations

import importlib.util
import io
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from rich.console import Console

from testbed import profiles
from testbed.cell import Cell
from testbed.errors import UserError
from testbed.training import kept
from testbed.training.course import Course
from testbed.training.folder import TrainingFolder
from testbed.training.received import Received
from testbed.training.run import INTERRUPTED, Request, run_training
from testbed.training.trainer import Trainer
from testbed.training.trial import Trial

NETWORK = "network: {bandwidth: 20 Mbit/s, latency: 5 ms, device: DEVICE}\n"
BOTH = "network: [none, {bandwidth: 20 Mbit/s, latency: 5 ms, device: DEVICE}]\n"
# States of its own beside its parameters, a codec that draws, a rate that changes, gradients that are clipped.
HARD = (
    "workload: {name: tiny, statistics: local}\nalgorithm: {name: dcd-psgd, codec: {name: qsgd, bits: 4}}\n"
    "epochs: 3\nrate: {initial: 0.1, warmup: {epochs: 2}}\nclip_norm: 0.5\npartition: dirichlet\n"
)


@pytest.fixture(scope="module")
def local_module() -> ModuleType:
    """The module tests/testbed/training/local_lab.py."""
    path = Path(__file__).with_name("local_lab.py")
    spec = importlib.util.spec_from_file_location("local_lab", path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


class Networked:
    """Runs training files in a local lab."""

    def __init__(self, path: Path, lab: Callable[..., Any]) -> None:
        self.path, self.folder, self.lab, self.said = path, path / "run", lab, ""
        self.device = path / "tiny.yaml"
        text = Path(profiles.__file__).with_name("k80.yaml").read_text()
        self.device.write_text(text.replace("  resnet20:", "  tiny:"))

    def file(self, text: str) -> Path:
        path = self.path / "trial.yaml"
        base = "workers: 3\nbatch_size: 5\n" + ("" if "workload:" in text else "workload: tiny\n")
        path.write_text(base + text.replace("DEVICE", str(self.device)))
        return path

    def __call__(self, text: str, **of_lab: Any) -> int:
        lab = self.labs = self.lab(self.path, **of_lab)
        output = io.StringIO()
        request = Request(file=self.file(text), run=self.folder, jobs=1)
        try:
            return run_training(request, Console(file=output, width=300), lab)
        finally:
            self.said, self.cells = output.getvalue(), lab.cells

    @property
    def trials(self) -> list[Trial]:
        return TrainingFolder(self.folder).declared()

    def record(self, trial: Trial) -> dict[str, Any]:
        record = TrainingFolder(self.folder).record(trial)
        assert record is not None
        return record

    def losses(self, trial: Trial) -> list[dict[str, Any]]:
        """The epochs of a trial, but for their times."""
        return [{k: v for k, v in epoch.items() if not k.endswith("_s")} for epoch in self.record(trial)["epochs"]]


@pytest.fixture
def train(tmp_path: Path, tiny: ModuleType, local_module: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Networked:
    monkeypatch.setattr("testbed.session.whole_training.quiet_s", lambda cell: 0.0)
    monkeypatch.setattr("reports.write_training", lambda table, provenance, folder: [folder / "index.html"])
    return Networked(tmp_path, local_module.LocalLab)


@pytest.mark.parametrize("text", ["algorithm: allreduce\nepochs: 2\n", HARD], ids=["allreduce", "hard"])
def test_losses_are_those_of_a_training_in_one_process(train: Networked, text: str) -> None:
    assert train(text + BOTH) == 0, train.said
    alone, networked = train.trials
    assert alone.network is None and networked.network is not None and networked.alone == alone
    without_codecs = [{**epoch, "bits_per_component": 0} for epoch in train.losses(alone)]  # which CellRunner counts
    assert [{**epoch, "bits_per_component": 0} for epoch in train.losses(networked)] == without_codecs
    assert train.record(networked)["status"] == "ok"


def test_an_epochs_time_is_from_its_first_beginning_to_its_last_end(train: Networked, local_module: ModuleType) -> None:
    assert train("algorithm: allreduce\nepochs: 2\n" + NETWORK) == 0
    (trial,) = train.trials
    epochs, cell = train.record(trial)["epochs"], train.cells[0]
    compute = local_module.profile_of(cell).compute_of("tiny").mean_s(5)
    for epoch in epochs:  # of 4 steps
        assert epoch["epoch_s"] == pytest.approx(4 * (compute + local_module.EXCHANGE_S), rel=0.1)
        assert epoch["communicate_s"] == pytest.approx(4 * 0.125)
    assert epochs[0]["epoch_s"] != epochs[1]["epoch_s"]  # other draws of compute
    assert epochs[1]["emulated_s"] == pytest.approx(epochs[0]["epoch_s"] + epochs[1]["epoch_s"])


def test_the_table_has_the_columns_of_a_sweeps_times(train: Networked) -> None:
    assert train("algorithm: allreduce\nepochs: 2\n" + BOTH) == 0
    frame = pd.read_parquet(train.folder / "table.parquet")
    alone, networked = frame[frame["timing"].isna()], frame[frame["timing"] == "measured"]
    assert len(alone) == len(networked) == 2
    assert list(networked["bandwidth_bit_per_s"]) == [20e6] * 2 and set(networked["lab"]) == {"virtual"}
    assert networked["faithful"].all() and alone["epoch_s"].isna().all()
    times = [epoch["emulated_s"] for epoch in train.record(train.trials[1])["epochs"]]
    assert list(networked["emulated_s"]) == times
    provenance = TrainingFolder(train.folder).sessions.read()
    assert provenance["labs"] == {"virtual": {"kernel": "none"}}


def test_a_stopped_training_goes_on_from_its_last_epoch_to_the_same_numbers(train: Networked) -> None:
    text = HARD + NETWORK
    assert train(text) == 0
    whole = train.losses(train.trials[0])
    train.folder = train.path / "second"
    assert train(text, stop_after=2) == INTERRUPTED
    assert "go on with: gradwire train" in train.said
    assert train.losses(train.trials[0]) == whole[:2]
    assert train(text) == 0, train.said
    assert [cell.training.after_epochs for cell in train.cells if cell.training] == [2]
    assert train.losses(train.trials[0]) == whole
    times = train.record(train.trials[0])["epochs"]
    assert times[2]["emulated_s"] == pytest.approx(sum(epoch["epoch_s"] for epoch in times))
    assert not list((train.folder / "checkpoints").iterdir())


def test_in_real_time_nothing_is_evaluated_before_all_is_measured(
    train: Networked, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = f"epochs: 2\nalgorithm: allreduce\nseeds: [1, 2]\n{BOTH}".replace("latency", "lab: host, latency")
    evaluated: list[int] = []  # cells that were begun by then
    standing = Received.standing

    def noted(self: Received) -> Any:
        evaluated.append(len(train.labs.cells))
        return standing(self)

    monkeypatch.setattr(Received, "standing", noted)
    assert train(text) == 0, train.said
    assert evaluated == [2, 2, 2, 2]
    losses = [train.losses(trial) for trial in train.trials]
    assert losses[:2] == losses[2:]


def test_what_goes_wrong_in_an_epoch_fails_that_trial_alone(train: Networked, monkeypatch: pytest.MonkeyPatch) -> None:
    hear = Received.hear

    def broken(self: Received, epoch: int, *more: Any) -> None:
        if self.trial.seed == 1 and epoch == 2:
            raise ValueError("no such file")
        hear(self, epoch, *more)

    monkeypatch.setattr(Received, "hear", broken)
    assert train("epochs: 3\nalgorithm: allreduce\nseeds: [1, 2]\n" + NETWORK) == 1
    first, second = train.trials
    assert TrainingFolder(train.folder).failure(first) == "ValueError: no such file"
    assert train.record(second)["status"] == "ok" and len(train.record(first)["epochs"]) == 1
    assert not TrainingFolder(train.folder).checkpoint_path(first).is_file()


def test_a_failed_trial_is_tried_again(train: Networked) -> None:
    text = "algorithm: allreduce\nepochs: 2\n" + NETWORK
    assert train(text, fail="the guest died") == 1
    assert TrainingFolder(train.folder).failure(train.trials[0]) == "the guest died"
    assert set(pd.read_parquet(train.folder / "table.parquet")["status"]) == {"failed"}
    assert train(text) == 0
    assert train.record(train.trials[0])["status"] == "ok"


@pytest.mark.parametrize("bound", ["", "divergence: 2\n"], ids=["not finite", "above the first"])
def test_a_training_that_diverges_has_ended(train: Networked, bound: str) -> None:
    assert train(f"algorithm: allreduce\nepochs: 9\nrate: 1.0e+30\n{bound}" + BOTH) == 0, train.said
    alone, networked = (train.record(trial) for trial in train.trials)
    assert networked["status"] == alone["status"] == "diverged"
    assert networked["diverged"]["epoch"] == alone["diverged"]["epoch"]


def test_ids_of_trials_without_a_network_are_as_they_were(train: Networked) -> None:
    assert train("algorithm: allreduce\nepochs: 1\n") == 0
    (trial,) = train.trials
    assert "network" not in trial.to_json()
    assert all(Trial.from_json(one.to_json()) == one for one in train.trials)


def test_lists_of_a_network_multiply_trials(train: Networked) -> None:
    text = "algorithm: allreduce\nepochs: 1\nnetwork: [none, {bandwidth: [5 Mbit/s, 1 Gbit/s], latency: [1 ms, 9 ms], "
    assert train(text + "topology: ring, device: DEVICE}]\n") == 0
    cells = [trial.network for trial in train.trials]
    assert cells[0] is None and {cell.network.topology for cell in cells[1:] if cell} == {"ring"}
    pairs = {(cell.network.bandwidth_bit_per_s, cell.network.latency_s) for cell in cells[1:] if cell}
    assert pairs == {(5e6, 1e-3), (5e6, 9e-3), (1e9, 1e-3), (1e9, 9e-3)}


MISTAKES = {
    "{latency: 1 ms}": "network.bandwidth is missing",
    "20 Mbit/s": "network '20 Mbit/s' is neither `none` nor a mapping",
    "{bandwidth: 20 parsec, latency: 5 ms}": "network.bandwidth '20 parsec'",
    "{bandwidth: 5 Mbit/s, latency: 5 ms, bandwith: 1}": "unknown key network.bandwith: did you mean bandwidth?",
    "{bandwidth: 5 Mbit/s, latency: 5 ms, workers: 3}": "network has workers, which is no network's: its keys are lab,",
    "{bandwidth: 5 Mbit/s, latency: 5 ms, device: k80}": "device k80 has no workload 'tiny'",
    "{bandwidth: 5 Mbit/s, latency: 5 ms, device: k81}": "device is 'k81', must be one of",
    "{bandwidth: 5 Mbit/s, latency: 5 ms, jitter: 5 ms}": "jitter 5 ms is above an eighth of the latency 5 ms",
    "{bandwidth: 5 Mbit/s, latency: 5 ms, trunk: 1 Gbit/s}": "network.trunk is given, but only a tree has",
    "{bandwidth: 5 Mbit/s, latency: 5 ms, topology: rings}": "topology 'rings' is unknown",
    "{bandwidth: 5 Mbit/s, latency: 5 ms, straggler: {worker: 3, compute: 2}}": "straggler: worker is 3, but the ranks",
}


@pytest.mark.parametrize("network", MISTAKES)
def test_a_mistake_is_one_sentence_before_anything_starts(train: Networked, network: str) -> None:
    with pytest.raises(UserError) as error:
        train(f"algorithm: allreduce\nepochs: 1\nnetwork: {network}\n")
    assert MISTAKES[network] in str(error.value) and "\n" not in str(error.value)
    assert not train.folder.exists()


def test_a_device_of_this_machine_is_none_of_a_networks_workers(
    train: Networked, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("testbed.training.plan.gpus", lambda: ("a GPU",))
    with pytest.raises(UserError, match=r"device is cuda, but with a network workers compute where .* network\.device"):
        train("algorithm: allreduce\nepochs: 1\ndevice: cuda\n" + NETWORK)


def test_a_cell_of_a_sweep_has_no_training_and_its_id_as_ever(train: Networked) -> None:
    assert train("algorithm: allreduce\nepochs: 1\n" + NETWORK) == 0
    cell = train.trials[0].network
    assert cell is not None and cell.training is None
    restored = Cell.from_json(train.trials[0].cell(1, "file").to_json())
    assert restored == train.trials[0].cell(1, "file") and restored.id != cell.id


def test_a_trial_of_before_a_cell_had_more_keys_keeps_its_name(train: Networked) -> None:
    assert train("algorithm: allreduce\nepochs: 1\n" + NETWORK) == 0
    (trial,) = train.trials
    values = trial.to_json()
    for key in ("workload_options", "partition", "capture"):
        del values["network"][key]
    assert Trial.from_json(values).id == trial.id


def test_what_a_killed_process_left_to_evaluate_goes_with_the_next_start(train: Networked) -> None:
    left = train.folder / "waiting"
    left.mkdir(parents=True)
    (left / "1").write_text("models")
    assert train("algorithm: allreduce\nepochs: 1\n" + NETWORK) == 0
    assert not left.exists()


def test_what_is_kept_of_all_workers_is_what_each_keeps(train: Networked) -> None:
    assert train(HARD + "network: none\n") == 0
    (trial,) = train.trials
    with Trainer(trial) as trainer:
        course = Course(trainer)
        for _ in range(5):
            course.advance()
        saved = trainer.save()
        again = kept.together([kept.unpacked(kept.of_worker(saved, rank)) for rank in range(3)])
    assert again.keys() == saved.keys() and again["states"].keys() == saved["states"].keys() != set()
    assert all(torch.equal(again["states"][name], part) for name, part in saved["states"].items())
    for ours, theirs in zip(again["algorithms"], saved["algorithms"], strict=True):
        assert ours.keys() == theirs.keys()
        assert all(np.array_equal(ours[name], part) for name, part in theirs.items())
    assert all(torch.equal(x, other) for x, other in zip(again["xs"], saved["xs"], strict=True))


def test_times_of_a_sweep_file_are_measured_first(
    train: Networked, scripted: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(train.path)
    monkeypatch.setattr("reports.write", lambda table, provenance, folder: [folder / "index.html"])
    sweep = train.path / "times.yaml"
    sweep.write_text(
        "name: swept\nworkers: 3\nbandwidth: 5 Mbit/s\nlatency: 1 ms\nbatch_size: 5\nworkload: tiny\n"
        f"device: {train.device}\nalgorithm: allreduce\n"
    )
    lab = scripted.ScriptedLab()
    request = Request(file=train.file("algorithm: allreduce\nepochs: 2\n"), run=train.folder, times=sweep, jobs=1)
    for measured in (1, 1):  # the second time it is there
        assert run_training(request, Console(quiet=True), lab) == 0
        assert len(lab.measured) == measured and (train.path / "runs" / "swept" / "resolved.json").is_file()
    frame = pd.read_parquet(train.folder / "table.parquet")
    assert list(frame["timing"]) == ["composed"] * 2
    assert list(frame["emulated_s"]) == pytest.approx([4 * 2.0, 8 * 2.0])
