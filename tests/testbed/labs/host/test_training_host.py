"""Whole trainings over the host lab's networks: the losses are, bit for bit, those of one process."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from testbed.errors import UserError
from testbed.labs.host import requirements
from testbed.training.folder import TrainingFolder
from testbed.training.run import Request, run_training
from testbed.workloads import create

LACK = requirements.missing(requirements.lacks())

pytestmark = [
    pytest.mark.host,
    pytest.mark.data,
    pytest.mark.timeout(280),
    pytest.mark.skipif(LACK is not None, reason=str(LACK)),
    pytest.mark.usefixtures("as_before"),
]

FILE = """\
workload: {name: resnet20, samples: 96, held_out_samples: 32}
workers: 3
batch_size: 8
epochs: 2
algorithm:
  - {name: allreduce, exchange: ring}
  - {name: dcd-psgd, codec: {name: qsgd, bits: 8}}
rate: {initial: 0.1, warmup: {epochs: 1}}
network: [none, {lab: host, CONTAINERS bandwidth: 50 Mbit/s, latency: 10 ms}]
"""
# Of an epoch: what is counted and computed, which no network changes.
NUMBERS = ("epoch", "train_loss", "held_out_loss", "metric", "consensus_distance", "handed_bytes")


@pytest.fixture
def train(tmp_path: Path) -> Any:
    try:
        create("resnet20").source  # noqa: B018  # looks for the data
    except UserError as error:
        pytest.skip(str(error))

    def run(containers: str) -> None:
        file = tmp_path / "trial.yaml"
        file.write_text(FILE.replace("CONTAINERS", containers))
        folder = TrainingFolder(tmp_path / "run")
        output = io.StringIO()
        status = run_training(Request(file=file, run=folder.path, jobs=1), Console(file=output, width=300))
        assert status == 0, output.getvalue()
        trials = folder.declared()
        records = {(trial.algorithm, trial.network is not None): _record(folder, trial) for trial in trials}
        assert len(records) == len(trials) == 4
        for algorithm in ("allreduce", "dcd-psgd"):
            alone, networked = records[algorithm, False], records[algorithm, True]
            assert [_numbers(epoch) for epoch in networked["epochs"]] == [_numbers(epoch) for epoch in alone["epochs"]]
            assert min(epoch["epoch_s"] for epoch in networked["epochs"]) > 4 * 10e-3  # a latency for each step

    return run


def _record(folder: TrainingFolder, trial: Any) -> dict[str, Any]:
    record = folder.record(trial)
    assert record is not None
    return record


def _numbers(epoch: dict[str, Any]) -> dict[str, Any]:
    return {name: epoch[name] for name in NUMBERS}


def test_losses_of_workers_in_namespaces_are_those_of_one_process(train: Any) -> None:
    train("")


@pytest.mark.docker
@pytest.mark.usefixtures("engine")
def test_losses_of_workers_in_containers_are_those_of_one_process(train: Any) -> None:
    train("containers: docker,")
