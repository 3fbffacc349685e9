"""A lab without a network: real workers' trainings and algorithms, whose messages are copied in this process."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

import torch

from algorithms import lockstep, registry
from algorithms.algorithm import Algorithm, Worker
from algorithms.codecs.codec import create_codec
from algorithms.graphs import create_graph
from testbed.cell import Cell
from testbed.labs.lab import CellEpoch, CellFailed, CellFinished, CellProgress, CellStarted, Event, Note
from testbed.session.compute import profile_of
from testbed.session.whole_training import TrainingRun
from testbed.session.worker_group import WorkerGroup
from testbed.training import kept
from testbed.workers.protocol import (
    PARTS,
    Block,
    BlockDone,
    Counters,
    Keep,
    Kept,
    Leave,
    Left,
    Prepare,
    Ready,
    Snapshot,
    StepCounts,
)
from testbed.workers.training import create_training
from testbed.workloads.gradients import DivergedError

EXCHANGE_S = 0.25  # of every step, after the slowest worker's compute


class LocalGroup:
    """All workers of a cell, side by side."""

    def __init__(self, cell: Cell) -> None:
        self._cell, self._now_s = cell, 100.0
        self._handed = [0] * cell.network.workers

    def ask(self, commands: Sequence[Any], reply_type: type, timeout_s: float, timeline: object = None) -> list[Any]:
        match commands[0]:
            case Prepare():
                return self._prepare(commands)
            case Block():
                return self._take(commands)
            case Keep():
                states = (training.source.state or () for training in self._trainings)
                return [
                    Kept(kept.packed(training.x, algorithm.save(), state))
                    for training, algorithm, state in zip(self._trainings, self._algorithms, states, strict=True)
                ]
            case Snapshot():
                return [Counters(handed, 0) for handed in self._handed]
            case Leave():
                return [Left() for _ in commands]
        raise TypeError(commands[0])

    def _prepare(self, commands: Sequence[Prepare]) -> list[Ready]:
        ranks = range(len(commands))
        self._trainings = [create_training(self._cell, None, rank) for rank in ranks]
        self._algorithms = [self._algorithm(rank) for rank in ranks]
        for rank, command in enumerate(commands):
            if command.kept is not None:
                before = kept.unpacked(command.kept)
                self._trainings[rank].x.copy_(before["x"])
                self._trainings[rank].source.state = tuple(before["state"])
                self._algorithms[rank].restore(before["algorithm"])
        one = self._trainings[0]
        return [Ready(one.x.numel(), 1, one.samples, one.dataset) for _ in ranks]

    def _algorithm(self, rank: int) -> Algorithm:
        cell, training = self._cell, self._trainings[rank]
        worker = Worker(
            rank=rank,
            workers=cell.network.workers,
            parameters=training.x.numel(),
            layers=training.layers,
            codec=create_codec(cell.codec, cell.codec_options).on(training.layers),
            graph=create_graph(cell.graph, cell.network.workers),
            seed=cell.seed,
            options={**cell.algorithm_options, **training.options},
        )
        return registry.create(cell.algorithm, worker)

    def _take(self, commands: Sequence[Block]) -> list[BlockDone]:
        start_s, ends_s, counts = self._now_s, [], []
        for place, compute_s in enumerate(zip(*(block.compute_s for block in commands), strict=True)):
            step = commands[0].first_step + place
            xs, gradients = [one.x for one in self._trainings], [torch.empty_like(one.x) for one in self._trainings]
            losses = [
                one.source.next(step, x, into) for one, x, into in zip(self._trainings, xs, gradients, strict=True)
            ]
            handed = lockstep.step_all(
                self._algorithms, xs, gradients, step + 1, self._trainings[0].rate(step)
            ).handed_bytes
            counts.append([
                StepCounts(loss=loss, declared_bytes=size, handed_bytes=size)
                for loss, size in zip(losses, handed, strict=True)
            ])  # fmt: skip
            self._now_s += max(compute_s) + EXCHANGE_S
            ends_s.append(self._now_s)
            self._handed = [so_far + size for so_far, size in zip(self._handed, handed, strict=True)]
        self._now_s += 1000.0  # between epochs nobody measures
        parts = {part: (0.125,) * len(ends_s) for part in PARTS}
        return [
            BlockDone(
                start_s, tuple(ends_s), parts, sum(one.declared_bytes for one in of_worker), taken=tuple(of_worker)
            )
            for of_worker in zip(*counts, strict=True)
        ]


class LocalLab:
    """Trains cells one after another, through real sessions' `TrainingRun`.

    `stop_after`: the epoch after which somebody stops it. `fail`: why every cell fails.
    """

    name = "virtual"

    def __init__(self, folder: Path, stop_after: int | None = None, fail: str = "") -> None:
        self.folder, self.stop_after, self.fail = folder, stop_after, fail
        self.cells: list[Cell] = []

    def create(self, name: str) -> LocalLab:
        self.name = name
        return self

    def auto(self) -> tuple[str, str]:
        return self.name, "it is here"

    def prepare(self, cells: Sequence[Cell], say: Callable[[str], None]) -> None:
        """Nothing is missing."""

    def lane_bytes(self, cell: Cell) -> int:
        return 1

    def provenance(self) -> dict[str, Any]:
        return {"kernel": "none"}

    def run(self, cells: Sequence[Cell], report: Callable[[Event], None], stop: threading.Event, jobs: int) -> None:
        report(Note(0, "starting"))
        for cell in cells:
            if not stop.is_set():
                self.cells.append(cell)
                self._train(cell, report, stop)

    def _train(self, cell: Cell, report: Callable[[Event], None], stop: threading.Event) -> None:
        assert cell.training is not None
        folder = Path(tempfile.mkdtemp(dir=self.folder))

        def say_epoch(number: int, document: dict[str, Any]) -> None:
            report(CellProgress(0, cell.id, 3, f"epoch {number}"))
            report(CellEpoch(0, cell.id, number, document, folder / str(number)))
            if number == self.stop_after:
                stop.set()
                raise _StoppedError

        report(CellStarted(0, cell.id))
        group = cast(WorkerGroup, LocalGroup(cell))
        run = TrainingRun(group, cell, cell.training, profile_of(cell), lambda *_: None, say_epoch)
        try:
            if self.fail:
                report(CellFailed(0, cell.id, self.fail))
                return
            measured = run.run(folder, lambda rank, peer: 1)
        except _StoppedError:
            return
        except DivergedError as error:
            report(CellFailed(0, cell.id, str(error), diverged=True))
            return
        probe = {"faithful": True, "saturated": False}
        report(CellFinished(0, cell.id, {**measured, "cell": {}, "probe": probe, "wall_s": 1.0}))


class _StoppedError(Exception):
    """The session was told to stop."""
