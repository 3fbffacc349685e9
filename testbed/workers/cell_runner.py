"""A cell, at one worker: its model, gradients, algorithm and codec; and the steps it takes with them."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable

import torch

from algorithms import registry
from algorithms.algorithm import Algorithm, Worker
from algorithms.codecs.codec import create_codec
from algorithms.graphs import create_graph
from testbed.cell import Cell
from testbed.training import kept
from testbed.training.coded import Coded
from testbed.workers import devices
from testbed.workers.carrier import Carrier
from testbed.workers.counters import forget_acknowledgement_history
from testbed.workers.meter import StepMeter
from testbed.workers.mpi import MPI
from testbed.workers.protocol import PARTS, Block, BlockDone, Prepare, Ready, StepCounts
from testbed.workers.staging import carrier_of
from testbed.workers.training import create_training
from testbed.workers.transport import MpiTransport


class CellRunner:
    """Takes a cell's steps at one worker, and times their parts."""

    def __init__(self, prepare: Prepare, communicator: MPI.Intracomm) -> None:
        cell = Cell.from_json(prepare.cell)
        self._device = devices.device_of(cell, communicator.rank)
        training = create_training(cell, prepare.recording, communicator.rank)
        self._training = dataclasses.replace(training, x=training.x.to(self._device))
        self._gradient = torch.empty_like(self._training.x)
        self._meter = StepMeter(
            prepare.profile.work_s,
            synchronise=devices.synchroniser(self._device),
            can_overrun=cell.can_overrun,
        )
        carrier = carrier_of(self._device, communicator)
        self.transport = MpiTransport(carrier, self._meter, prepare.profile.staging_copy_s)
        self._coded = None if cell.training is None else Coded(self._meter, carrier.announce)
        self._algorithm = self._create_algorithm(cell, communicator, carrier)
        if prepare.kept is not None:
            self._restore(prepare.kept)

    def _create_algorithm(self, cell: Cell, communicator: MPI.Intracomm, carrier: Carrier) -> Algorithm:
        worker = Worker(
            rank=communicator.rank,
            workers=communicator.size,
            parameters=self._training.x.numel(),
            layers=self._training.layers,
            codec=create_codec(cell.codec, cell.codec_options).on(self._training.layers),
            graph=create_graph(cell.graph, communicator.size),
            seed=cell.seed,
            meter=self._coded or self._meter,
            options={**cell.algorithm_options, **self._training.options},
            device=self._device,
            announce=carrier.announce if self._coded is None else self._coded.announce,
        )
        return registry.create(cell.algorithm, worker)

    def keep(self) -> bytes:
        """All that the next step depends on at this worker."""
        return kept.packed(self._training.x, self._algorithm.save(), self._training.source.state or ())

    def _restore(self, content: bytes) -> None:
        """Go on where the worker whose `keep` this is would."""
        before = kept.unpacked(content)
        self._training.x.copy_(before["x"])
        self._algorithm.restore(before["algorithm"])
        self._training.source.state = tuple(part.to(self._device) for part in before["state"])

    def ready(self) -> Ready:
        """What the session needs to know of the cell."""
        return Ready(
            parameters=self._training.x.numel(),
            period=self._algorithm.period,
            samples=self._training.samples,
            dataset=self._training.dataset,
            device=devices.describe(self._device),
        )

    def run(self, block: Block, on_step: Callable[[int], None]) -> BlockDone:
        """Take a block of steps, one right after the other."""
        parts: dict[str, list[float]] = {part: [] for part in PARTS}
        ends, slices, taken = [], [], []
        overruns, overrun_s = self._meter.overruns, self._meter.overrun_s
        forget_acknowledgement_history()
        traced_from = block.first_step + len(block.compute_s) - block.traced_steps
        start_s = began_s = time.monotonic()
        for step, compute_s in enumerate(block.compute_s, start=block.first_step):
            self._meter.new_step(began_s if step >= traced_from else None)
            taken.append(self._step(step, compute_s))
            began_s = time.monotonic()
            ends.append(began_s)
            if step >= traced_from:
                slices.append(self._meter.slices())
            for part in PARTS:
                parts[part].append(self._meter.parts_s[part])
            on_step(step)
        return BlockDone(
            start_s,
            tuple(ends),
            {part: tuple(of) for part, of in parts.items()},
            sum(step.declared_bytes for step in taken),
            overruns=self._meter.overruns - overruns,
            overrun_s=self._meter.overrun_s - overrun_s,
            slices=tuple(slices),
            taken=tuple(taken),
        )

    def _step(self, step: int, compute_s: float) -> StepCounts:
        training, t, before = self._training, step + 1, self._counted()
        with self._meter.lasting("compute", compute_s):
            loss = training.source.next(step, training.x, self._gradient)
        self.transport.run(self._algorithm.step(training.x, self._gradient, t, training.rate(step)))
        self._meter.settle()
        handed, coded, components = (after - so_far for after, so_far in zip(self._counted(), before, strict=True))
        return StepCounts(
            loss=loss,
            declared_bytes=self._algorithm.declared_bytes(t),
            handed_bytes=handed,
            coded_bytes=coded + (self._algorithm.selected_bytes(t) or 0),
            coded_components=components,
        )

    def _counted(self) -> tuple[int, int, int]:
        """Bytes handed over, bytes that codecs made, and of how many components; so far."""
        coded = self._coded
        return self.transport.handed_bytes, *((0, 0) if coded is None else (coded.size_bytes, coded.components))
