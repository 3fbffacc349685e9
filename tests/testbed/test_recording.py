import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch

from testbed import recording, workloads
from testbed.errors import LabError, UserError
from testbed.recording import RecordedGradients, Recording, Say, ensure
from testbed.workloads.data import DataSource, Images
from testbed.workloads.partition import Batches


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADWIRE_CACHE", str(tmp_path))


def tiny_workload() -> workloads.Workload:
    random = np.random.default_rng(5)
    dataset = Images(
        name="tiny",
        images=random.integers(0, 256, (24, 3, 8, 8), np.uint8),
        labels=np.arange(24) % 10,
        mean=(0.5,) * 3,
        deviation=(0.25,) * 3,
        shape=(3, 8, 8),
    )
    return workloads.create(
        "resnet20", source=DataSource(name="tiny", digest="tiny", load=lambda: dataset, load_held_out=lambda: dataset)
    )


def record(steps: int = 3, workers: int = 2, seed: int = 1, say: Say = lambda _: None) -> Recording:
    return ensure(tiny_workload(), batch_size=4, workers=workers, steps=steps, seed=seed, say=say)


def test_another_partition_is_another_recording() -> None:
    def made(**more: Any) -> Recording:
        return ensure(tiny_workload(), batch_size=4, workers=2, steps=1, seed=1, say=lambda _: None, **more)

    plain, by_label, mixed = made(), made(partition="sorted"), made(partition="dirichlet", alpha=0.1)
    assert len({recording.folder for recording in (plain, by_label, mixed)}) == 3
    assert made(partition="partitioned").folder == plain.folder  # as all were named before there were others
    batches = Batches(tiny_workload().dataset, workers=2, batch_size=4, seed=1, partition="sorted")
    workload = tiny_workload()
    batch = workload.dataset.batch(batches.indices(1, 0))
    expected, _ = workload.gradient(workload.initial_parameters(), batch)
    assert np.array_equal(read(by_label, 1, 0), expected.numpy())
    assert not np.array_equal(read(plain, 1, 0), expected.numpy())


def read(made: Recording, worker: int, step: int) -> npt.NDArray[np.float32]:
    into = np.empty(made.parameters, np.float32)
    made.read(worker, step, into)
    return into


def expected_gradients(steps: int, workers: int = 2) -> list[list[torch.Tensor]]:
    """Synchronous SGD written out once more: gradients [steps][workers]."""
    workload = tiny_workload()
    batches = Batches(workload.dataset, workers=workers, batch_size=4, seed=1)
    x, recipe = workload.initial_parameters(), workload.recipe
    velocity = torch.zeros_like(x)
    history: list[list[torch.Tensor]] = []
    for step in range(steps):
        local = [
            workload.gradient(x, workload.dataset.batch(batches.indices(worker, step)))[0] for worker in range(workers)
        ]
        velocity = recipe.momentum * velocity + torch.stack(local).mean(0)
        x = x - recipe.learning_rate * velocity
        history.append(local)
    return history


def test_it_holds_every_workers_local_gradient_of_synchronous_training() -> None:
    with record() as made:
        for step, local in enumerate(expected_gradients(3)):
            for worker, gradient in enumerate(local):
                np.testing.assert_allclose(read(made, worker, step), gradient, rtol=1e-4, atol=1e-5)
        assert np.array_equal(made.initial_parameters(), tiny_workload().initial_parameters())


def test_it_says_what_was_recorded_without_model_or_data() -> None:
    folder = record().folder
    made = Recording(folder)
    assert (made.workload, made.dataset, made.samples, made.workers) == ("resnet20", "tiny", 24, 2)
    assert (made.batch_size, made.parameters, made.steps) == (4, 269_722, 3)
    assert made.layers == tiny_workload().layers


def test_more_steps_continue_and_equal_a_recording_made_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record(steps=1)
    continued = record(steps=3)
    monkeypatch.setenv("GRADWIRE_CACHE", str(tmp_path / "other"))
    at_once = record(steps=3)
    for worker in range(2):
        assert np.array_equal(read(continued, worker, 2), read(at_once, worker, 2))
    assert [path.name for path in continued.folder.glob("checkpoint-*")] == ["checkpoint-3.npz"]


def test_it_is_made_once_for_each_identity() -> None:
    said: list[str] = []
    first = record(say=said.append)
    assert any("3 steps" in line for line in said)
    said.clear()
    assert record(steps=2, say=said.append).folder == first.folder and not said
    assert record(seed=2).folder != first.folder


def test_it_is_never_cycled() -> None:
    with (
        record() as made,
        pytest.raises(LabError, match=r"step 3 was asked of .* 3 steps, which is never cycled"),
    ):
        made.read(0, 3, np.empty(made.parameters, np.float32))


def test_what_an_interruption_left_is_continued(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording, "_COMMIT_STEPS", 1)

    def interrupt(line: str) -> None:
        if "step 2" in line:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        record(say=interrupt)
    said: list[str] = []
    with record(say=said.append) as made:
        assert any("1 steps" in line for line in said)
        np.testing.assert_allclose(read(made, 1, 2), expected_gradients(3)[2][1], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("damage", ["truncate", "manifest"])
def test_a_damaged_recording_is_refused_and_made_anew(damage: str) -> None:
    folder = record().folder
    if damage == "truncate":
        (folder / "worker-1.f32").write_bytes(b"short")
    else:
        (folder / "recording.json").write_text('{"steps": 3')
    with pytest.raises(LabError, match="missing or damaged"):
        Recording(folder)
    assert read(record(), 1, 2).any()


def test_no_room_on_the_disk_is_said_before_training(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("testbed.recording.shutil.disk_usage", lambda _: type("Usage", (), {"free": 1000}))
    with pytest.raises(UserError, match=r"recorded gradients need 6 MB in .*GRADWIRE_CACHE"):
        record()


def test_a_full_disk_while_writing_keeps_what_was_committed(monkeypatch: pytest.MonkeyPatch) -> None:
    record(steps=1)
    monkeypatch.setattr("testbed.recording.os.pwrite", lambda *_: 10)
    with pytest.raises(LabError, match=r"recording gradients in .* failed: .*disk is full; run again to continue"):
        record(steps=2)
    monkeypatch.undo()


def test_replayed_gradients_have_the_interface_of_live_ones() -> None:
    with record() as made:
        x, into = torch.zeros(made.parameters), torch.empty(made.parameters)
        loss = RecordedGradients(made, worker=1).next(2, x, into)
        assert np.array_equal(into.numpy(), read(made, 1, 2))
        assert loss == json.loads((made.folder / "recording.json").read_text())["losses"][2][1] > 0
