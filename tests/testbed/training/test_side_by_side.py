"""Trials in processes of their own: numbers, what is said, and what becomes of a process that is killed."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import psutil
import pytest

from testbed.training import side_by_side
from testbed.training.side_by_side import PROCESS_BYTES, cores, jobs

SEEDS = "algorithm: {name: dcd-psgd, codec: qsgd}\nepochs: 10\nseeds: [1, 2, 3]\n"


@pytest.fixture
def whole(train) -> list[dict[str, object]]:
    """What one process leaves."""
    assert train(SEEDS, run=train.folder.with_name("whole")) == 0
    return list(train.records(train.folder.with_name("whole")))


def test_one_a_core_as_memory_allows(train) -> None:
    trials = train.plan("algorithm: allreduce\nepochs: 1\nseeds: [1, 2, 3, 4, 5, 6, 7, 8, 9]\n").trials
    assert jobs(None, trials) == min(cores(), 9)
    assert jobs(4, trials) == 4 and jobs(4, trials[:3]) == 3 and jobs(4, []) == 1
    assert jobs(None, trials, available_bytes=0) == jobs(None, trials, available_bytes=2 * PROCESS_BYTES - 1) == 1


def test_no_number_depends_on_how_many_train_at_once(
    train, whole, tiny_module: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(side_by_side, "COMMAND", (*tiny_module.JOB, "", "-1"))
    assert train(SEEDS, jobs=2) == 0
    assert train.records() == whole
    assert "3 ok, 0 diverged, 0 failed of 3 trials" in train.said
    assert all(f"seed {seed}: epoch 10 of 10: loss" in train.said for seed in (1, 2, 3))


def test_a_process_that_is_killed_fails_its_trial_alone(train, whole) -> None:
    with started(train, hang_at=0) as process:
        psutil.Process(process.pid).children()[0].kill()
        await_until(lambda: any((train.folder / "failed").iterdir()))
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=30)
    assert "the process that trained it ended with signal SIGKILL, as where memory runs out" in output
    assert "Traceback" not in output
    assert train(SEEDS) == 0
    assert train.records() == whole


def test_after_kill_9_of_all_of_them_the_numbers_are_the_same(train, whole) -> None:
    with started(train, hang_at=8) as process:  # in the second step of each
        jobs_of_it = psutil.Process(process.pid).children()
        assert len(jobs_of_it) == 2
        process.kill()
        _, alive = psutil.wait_procs(jobs_of_it, timeout=30)
    assert not alive
    assert [record["status"] for record in train.records()] == ["running", "running"]
    assert train(SEEDS) == 0
    assert train.records() == whole


def test_ctrl_c_keeps_every_trial_under_way(train, whole) -> None:
    with started(train, hang_at=0) as process:
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=30)
    assert process.returncode == 130 and "Traceback" not in output
    assert f"go on with: gradwire train {train.file} --run {train.folder} --jobs 2" in output
    assert any((train.folder / "checkpoints").iterdir())
    assert train(SEEDS) == 0
    assert train.records() == whole


class started:  # noqa: N801  # reads as a function where it is used
    """The training with two jobs, once both hang or are slow."""

    def __init__(self, train, hang_at: int) -> None:
        script = Path(__file__).with_name("tiny.py")
        command = [sys.executable, str(script), str(train.write(SEEDS)), str(train.folder), str(hang_at), "2"]
        self._train = train
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def __enter__(self) -> subprocess.Popen[str]:
        await_until(lambda: len(list(self._train.folder.parent.glob("run.sign*"))) == 2, self._process)
        return self._process

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()


def await_until(done: Callable[[], bool], process: subprocess.Popen[str] | None = None) -> None:
    deadline = time.monotonic() + 60
    while not done():
        assert time.monotonic() < deadline and (process is None or process.poll() is None)
        time.sleep(0.02)
