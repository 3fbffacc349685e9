"""A workload that trains in milliseconds; run as a program, a training of it that can be killed."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from torch import nn

from testbed.errors import LabError, UserError
from testbed.training import job, session, side_by_side
from testbed.training.run import Request, run_training
from testbed.workloads.classification import Classification
from testbed.workloads.data import DataSource, Images
from testbed.workloads.normalisation import BatchNorm, Normalised
from testbed.workloads.workload import Recipe, registry

JOB = (sys.executable, __file__, "job")
NAME, PARAMETERS, SAMPLES = "tiny", 16 * 8 + 8 + 2 * 8 + 8 * 10 + 10, 60


def images(samples: int, seed: int) -> Images:
    """Of ten classes that can be seen."""
    random = np.random.default_rng(seed)
    labels = np.arange(samples) % 10
    pixels = random.integers(0, 60, (samples, 1, 4, 4), np.uint8)
    pixels.reshape(samples, 16)[np.arange(samples), labels] += 180
    return Images(name="tiny", images=pixels, labels=labels, mean=(0.3,), deviation=(0.3,), shape=(1, 4, 4))


class Tiny(Classification, Normalised):
    """242 parameters, 60 samples."""

    name = NAME
    recipe = Recipe(learning_rate=0.05, momentum=0.9, weight_decay=1e-3)

    def build_model(self) -> nn.Module:
        return nn.Sequential(nn.Flatten(), nn.Linear(16, 8), BatchNorm(8), nn.ReLU(), nn.Linear(8, 10))

    def find_data(self) -> DataSource:
        return DataSource(
            name="tiny", digest="tiny", load=lambda: images(SAMPLES, 1), load_held_out=lambda: images(20, 2)
        )


class Hanging(Tiny):
    """Hangs in its gradient number `hang_at`, and says so in a file."""

    sign: Path
    hang_at = 0
    computed = 0

    def loss(self, model, batch, state) -> torch.Tensor:
        Hanging.computed += 1
        if Hanging.computed == self.hang_at:
            self.sign.write_text("hanging")
            time.sleep(600)
        if not self.hang_at:
            self.sign.write_text("slow")
            time.sleep(0.02)
        return super().loss(model, batch, state)


def program(file: str, run: str, hang_at: str, jobs: str = "1") -> int:
    """`tiny.py FILE RUN HANG_AT [JOBS]`: hangs in gradient number HANG_AT, or is slow at 0; a checkpoint each step."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:1])
    session.CHECKPOINT_S = session.CHECKPOINT_SHARE = 0
    Hanging.sign, Hanging.hang_at = Path(f"{run}.sign"), int(hang_at)
    registry.register(NAME)(Hanging)
    side_by_side.COMMAND = (*JOB, f"{run}.sign", hang_at)
    try:
        return run_training(Request(file=Path(file), run=Path(run), jobs=int(jobs)), Console())
    except (UserError, LabError) as error:
        print(error, file=sys.stderr)
        return 1 if isinstance(error, LabError) else 2


def one_job(sign: str, hang_at: str, *arguments: str) -> None:
    """`tiny.py job SIGN HANG_AT …`: testbed.training.job with the workload, hanging as there; not below 0."""
    session.CHECKPOINT_S = session.CHECKPOINT_SHARE = 0
    registry.register(NAME)(Tiny if int(hang_at) < 0 else Hanging)
    Hanging.sign, Hanging.hang_at = Path(f"{sign}-{os.getpid()}"), int(hang_at)
    job.main(*arguments)


if __name__ == "__main__":
    if sys.argv[1] == "job":
        one_job(*sys.argv[2:])
    sys.exit(program(*sys.argv[1:]))
