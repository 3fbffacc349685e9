"""Gradients recorded once from real training, so that timing cells need not compute them again.

What is recorded is synchronous allreduce SGD with the workload's default recipe: at each step every worker
computes the gradient of the common parameters on its own batch, that gradient is written down as it is, and
the parameters move by the mean of all workers' gradients with momentum. A recording is a folder of the
cache:

    recording.json      what was recorded, and how many steps are complete: written last, atomically
    worker-3.f32        the gradients of worker 3, float32 [steps, N], in the machine's byte order
    initial.f32         the parameters before the first step, float32 [N]
    checkpoint-40.npz   parameters, velocity and the workers' states after the last complete step: more steps continue
                        from there

It is read with plain `pread` into memory of the reader's: a memory map would cost a page fault for every 4
KiB.
"""

from __future__ import annotations

import dataclasses
import errno
import json
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch
from filelock import FileLock

from algorithms.algorithm import Layer
from testbed.cache import cache_folder, content_key
from testbed.errors import LabError, UserError
from testbed.workloads.partition import Batches
from testbed.workloads.training import SynchronousTraining
from testbed.workloads.workload import State, Workload, create

# Raised when the same identity would be recorded as other numbers: a new layout, another order of samples,
# a new initialisation.
RECIPE_VERSION = 1
_COMMIT_STEPS = 5  # an interruption loses at most these
_FLOAT_BYTES = 4
_MANIFEST = "recording.json"
PARTITIONED = "partitioned"

Say = Callable[[str], None]
Vector = npt.NDArray[np.float32]


class Recording:
    """A finished recording, open for reading. Cheap to open: neither the model nor the data set is loaded."""

    def __init__(self, folder: Path) -> None:
        manifest = _read_manifest(folder)
        if manifest is None:
            raise LabError(f"recording {folder} is missing or damaged: remove the folder, it is then recorded again")
        self.folder = folder
        self.manifest = manifest
        self.workload = str(manifest["workload"])
        self.dataset = str(manifest["dataset"])
        self.samples = int(manifest["samples"])
        self.workers = int(manifest["workers"])
        self.batch_size = int(manifest["batch_size"])
        self.parameters = int(manifest["parameters"])
        self.steps = int(manifest["steps"])
        self.layers = tuple(Layer(**layer | {"shape": tuple(layer["shape"])}) for layer in manifest["layers"])
        self._descriptors: dict[int, int] = {}

    def read(self, worker: int, step: int, into: Vector) -> None:
        """Fill `into`, contiguous float32 [N], with the gradient of one worker at one step, counted from 0.

        Raises LabError past the last step: a recording is never cycled.
        """
        if not (0 <= worker < self.workers and 0 <= step < self.steps):
            raise LabError(
                f"gradient of worker {worker} at step {step} was asked of a recording of {self.workers} "
                f"workers and {self.steps} steps, which is never cycled: record more"
            )
        _read_exactly(self._descriptor(worker), into, step * into.nbytes, self.folder)

    def loss(self, worker: int, step: int) -> float:
        """The mean loss of that worker's batch, before the step."""
        return float(self.manifest["losses"][step][worker])

    def initial_parameters(self) -> Vector:
        """The parameters before the first step, float32 [N]."""
        return np.fromfile(self.folder / "initial.f32", np.float32)

    def close(self) -> None:
        """Close the workers' files."""
        while self._descriptors:
            os.close(self._descriptors.popitem()[1])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _descriptor(self, worker: int) -> int:
        if worker not in self._descriptors:
            self._descriptors[worker] = os.open(_worker_file(self.folder, worker), os.O_RDONLY)
        return self._descriptors[worker]


class RecordedGradients:
    """One worker's gradients, replayed: a `GradientSource`."""

    state: State | None = None

    def __init__(self, recording: Recording, worker: int) -> None:
        self._recording = recording
        self._worker = worker

    def next(self, step: int, x: torch.Tensor, into: torch.Tensor) -> float:  # noqa: ARG002  # replayed, whatever x
        """Fill `into`, float32 [N] on the CPU, with the recorded gradient; return the recorded loss."""
        self._recording.read(self._worker, step, into.numpy())
        return self._recording.loss(self._worker, step)


def ensure(
    workload: Workload | str,
    *,
    batch_size: int,
    workers: int,
    steps: int,
    seed: int,
    say: Say,
    partition: str = PARTITIONED,
    alpha: float | None = None,
) -> Recording:
    """The recording of at least `steps` steps: found in the cache, continued, or made.

    Args:
        workload: what is trained, or its name; the initial parameters are drawn from its own seed, or `seed`.
        batch_size: samples per worker and step.
        workers: number of workers, each with its own batches.
        steps: the steps that will be read.
        seed: of the order of samples.
        say: told what is going on and how long it will take.
        partition: who sees which samples.
        alpha: of partition dirichlet.

    Raises:
        UserError: no data set, or no room on the disk.
        LabError: training diverged, or a file cannot be written.
    """
    if isinstance(workload, str):
        workload = create(workload, seed=seed)
    identity = _identity(workload, batch_size, workers, seed) | _deal(partition, alpha)
    folder = cache_folder() / "recordings" / content_key(json.dumps(identity, sort_keys=True))
    if _steps(folder) < steps:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.with_name(f"{folder.name}.lock")):
            if _steps(folder) < steps:  # nobody recorded them while this process waited
                _record(workload, identity, folder, steps, say)
    return Recording(folder)


def _identity(workload: Workload, batch_size: int, workers: int, seed: int) -> dict[str, Any]:
    """All that the recorded numbers depend on; options only where they are not the defaults."""
    chosen = workload.options.model_dump(exclude_defaults=True)
    return ({"options": chosen} if chosen else {}) | {
        "recipe_version": RECIPE_VERSION,
        "workload": workload.name,
        "dataset": workload.source.name,
        "dataset_digest": workload.source.digest,
        "batch_size": batch_size,
        "workers": workers,
        "seed": seed,
        "model_seed": workload.seed,
        "recipe": {name: value for name, value in dataclasses.asdict(workload.recipe).items() if value is not None},
    }


def _deal(partition: str, alpha: float | None) -> dict[str, Any]:
    """What is added to the identity where data are not partitioned as those of the first recordings were."""
    return {} if partition == PARTITIONED else {"partition": partition, "alpha": alpha}


def _record(workload: Workload, identity: dict[str, Any], folder: Path, steps: int, say: Say) -> None:
    _require_room(folder, (steps - _steps(folder)) * identity["workers"] * workload.parameters * _FLOAT_BYTES)
    batches = Batches(
        workload.dataset,
        workers=identity["workers"],
        batch_size=identity["batch_size"],
        seed=identity["seed"],
        partition=identity.get("partition", PARTITIONED),
        alpha=identity.get("alpha"),
    )
    try:
        with SynchronousTraining(workload, batches, identity["workers"]) as training:
            losses = _resume(training, folder)
            _record_steps(training, identity, folder, losses, steps, say)
    except OSError as error:
        raise LabError(f"recording gradients in {folder} failed: {error.strerror}; run again to continue") from error


def _resume(training: SynchronousTraining, folder: Path) -> list[list[float]]:
    """Bring the training to where the folder's recording ends; the losses until there."""
    manifest = _read_manifest(folder)
    if manifest is None:
        training.x.numpy().tofile(folder / "initial.f32")
        return []
    with np.load(_checkpoint(folder, manifest["steps"])) as saved:
        training.restore(saved)
    losses: list[list[float]] = manifest["losses"]
    return losses


def _record_steps(
    training: SynchronousTraining,
    identity: dict[str, Any],
    folder: Path,
    losses: list[list[float]],
    steps: int,
    say: Say,
) -> None:
    first, began = len(losses), time.monotonic()
    what = f"{identity['workload']} on {identity['dataset']}, {identity['workers']} workers"
    say(f"recording gradients of {what}: {steps - first} steps, once")
    for step in range(first, steps):
        losses.append(training.step(step))
        for worker, gradient in enumerate(training.gradients.numpy()):
            _write_gradient(folder, worker, step, gradient)
        done = step + 1
        if done % _COMMIT_STEPS == 0 or done == steps:
            _commit(training, identity, folder, losses)
            left_s = (time.monotonic() - began) / (done - first) * (steps - done)
            say(f"recorded step {done} of {steps}, about {left_s:.0f} s left")


def _commit(training: SynchronousTraining, identity: dict[str, Any], folder: Path, losses: list[list[float]]) -> None:
    """Make what was written the recording: checkpoint first, then the manifest that names it."""
    steps = len(losses)
    with _checkpoint(folder, steps).open("wb") as file:
        np.savez(file, **training.checkpoint())
    manifest = (
        {"partition": PARTITIONED}
        | identity
        | {
            "steps": steps,
            "samples": training.workload.samples,
            "parameters": training.workload.parameters,
            "torch": torch.__version__,
            "layers": [dataclasses.asdict(layer) for layer in training.workload.layers],
            "losses": losses,
        }
    )
    unfinished = folder / f"{_MANIFEST}.unfinished"
    unfinished.write_text(json.dumps(manifest))
    unfinished.replace(folder / _MANIFEST)
    for checkpoint in folder.glob("checkpoint-*.npz"):
        if checkpoint != _checkpoint(folder, steps):
            checkpoint.unlink()


def _write_gradient(folder: Path, worker: int, step: int, gradient: Vector) -> None:
    descriptor = os.open(_worker_file(folder, worker), os.O_WRONLY | os.O_CREAT, 0o644)
    try:
        written = os.pwrite(descriptor, gradient.data, step * gradient.nbytes)
    finally:
        os.close(descriptor)
    if written != gradient.nbytes:  # the last write before the disk is full can be short
        raise OSError(errno.ENOSPC, f"{written} of {gradient.nbytes} bytes were written, the disk is full")


def _read_exactly(descriptor: int, into: Vector, offset: int, folder: Path) -> None:
    room = into.view(np.uint8)
    filled = 0
    while filled < room.nbytes:
        count = os.preadv(descriptor, [room[filled:].data], offset + filled)
        if count == 0:
            raise LabError(f"recording {folder} is shorter than it says: remove the folder, it is then recorded again")
        filled += count


def _read_manifest(folder: Path) -> dict[str, Any] | None:
    """What the folder holds; None if nothing usable (unreadable, or files cut short)."""
    try:
        manifest: dict[str, Any] = json.loads((folder / _MANIFEST).read_text())
        needed = manifest["steps"] * manifest["parameters"] * _FLOAT_BYTES
        sizes = [_worker_file(folder, worker).stat().st_size for worker in range(manifest["workers"])]
    except (OSError, ValueError, KeyError):
        return None
    complete = min(sizes) >= needed and _checkpoint(folder, manifest["steps"]).is_file()
    return manifest if complete else None


def _steps(folder: Path) -> int:
    manifest = _read_manifest(folder)
    return int(manifest["steps"]) if manifest else 0


def _require_room(folder: Path, size_bytes: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < size_bytes:
        raise UserError(
            f"recorded gradients need {size_bytes / 1e6:.0f} MB in {folder}, which has {free / 1e6:.0f}: "
            "make room, or set GRADWIRE_CACHE to a folder elsewhere"
        )


def _worker_file(folder: Path, worker: int) -> Path:
    return folder / f"worker-{worker}.f32"


def _checkpoint(folder: Path, steps: int) -> Path:
    return folder / f"checkpoint-{steps}.npz"
