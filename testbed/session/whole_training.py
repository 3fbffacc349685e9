"""A whole training on one network: a block of steps for each epoch, whose time is measured from its first to its last.

Between two epochs, in no epoch's time, each worker says what it has. That is kept in a folder for whoever evaluates it,
and goes on from it; it does so outside of the emulation.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from testbed.cell import Cell, WholeTraining
from testbed.profiles.profile import Profile
from testbed.results.spread import steps_per_epoch
from testbed.session.compute import Compute, quiet_s
from testbed.session.crew import Crew, HostLinks, workload_document
from testbed.session.measure import block_start, overrun_document, step_ends
from testbed.session.worker_group import WorkerGroup
from testbed.training import kept
from testbed.workers.protocol import PARTS, BlockDone, Keep, Kept, Prepare

Report = Callable[[int, dict[str, Any]], None]  # an epoch, counted from 1, and what is known of it
Say = Callable[[str, int], None]


class TrainingRun:
    """Trains one cell with a group of workers."""

    def __init__(
        self, group: WorkerGroup, cell: Cell, training: WholeTraining, profile: Profile, say: Say, report: Report
    ) -> None:
        """`report` is told of each epoch when it is over."""
        self._crew = Crew(group, cell, quiet_s(cell))
        self._cell = cell
        self._training = training
        self._profile = profile
        self._compute = Compute(cell, profile)
        self._say = say
        self._report = report

    def run(self, folder: Path, host_links: HostLinks) -> dict[str, Any]:
        """Train to the end; what a cell's document has of it, less what only the lab knows.

        `folder`: gets a folder for each epoch, by its number, with what each worker had after it (`worker_file`).
        """
        start_s = time.monotonic()
        crew, training = self._crew, self._training
        everyone = crew.prepare(self._commands())
        steps = steps_per_epoch(everyone[0].samples, self._cell.network.workers, self._cell.batch_size)
        crew.step = training.after_epochs * steps
        before = crew.count()
        epochs = range(training.after_epochs, int(training.trial["epochs"]))
        blocks = [self._epoch(number, steps, folder) for number in epochs]
        counted = crew.explained(before, host_links)
        crew.leave()
        return {
            **counted,
            "workload": workload_document(everyone[0], self._cell.gradients),
            "devices": [one.device for one in everyone],
            "overrun": overrun_document(blocks),
            "emulated_s": time.monotonic() - start_s,
        }

    def _commands(self) -> list[Prepare]:
        """To each worker; with what it had, where the training goes on."""
        cell, path = self._cell, self._training.checkpoint
        before = None if path is None else torch.load(path, map_location="cpu", weights_only=True)["trainer"]
        had = [None if before is None else kept.of_worker(before, rank) for rank in range(cell.network.workers)]
        return [Prepare(cell.to_json(), None, self._profile, of_worker) for of_worker in had]

    def _epoch(self, number: int, steps: int, folder: Path) -> list[BlockDone]:
        """An epoch, counted from 0: its block, then what is kept of it."""
        self._say(f"epoch {number + 1}", self._crew.step)
        done = self._crew.take(self._compute.draws(number, steps))
        of_epoch = folder / str(number + 1)
        of_epoch.mkdir(parents=True)
        for rank, reply in enumerate(self._crew.ask_all(Keep(), Kept)):
            worker_file(of_epoch, rank).write_bytes(reply.content)
        self._report(number + 1, epoch_document(done))
        return done


def worker_file(folder: Path, rank: int) -> Path:
    """Where what a worker had after an epoch lies until it is fetched."""
    return folder / f"worker-{rank}.pt"


def epoch_document(done: Sequence[BlockDone]) -> dict[str, Any]:
    """Of an epoch its seconds, those of each step and of each part (means over workers), and what each step counted.

    Losses and bytes handed over are by step and worker; what codecs made is by step, of all workers together.
    """
    start_s, ends_s = block_start(done), step_ends(done)
    by_step = list(zip(*(block.taken for block in done), strict=True))
    return {
        "epoch_s": float(ends_s[-1]) - start_s,
        "step_s": np.diff(ends_s, prepend=start_s).tolist(),
        **{f"{part}_s": float(np.mean([np.sum(block.parts_s[part]) for block in done])) for part in PARTS},
        "losses": [[one.loss for one in workers] for workers in by_step],
        "handed_bytes": [[one.handed_bytes for one in workers] for workers in by_step],
        "coded_bytes": [sum(one.coded_bytes for one in workers) for workers in by_step],
        "coded_components": [sum(one.coded_components for one in workers) for workers in by_step],
    }
