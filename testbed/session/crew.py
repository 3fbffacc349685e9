"""The workers of one cell: told what to do, and what they sent counted around the steps that they take."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from testbed.cell import Cell
from testbed.session.byte_account import account
from testbed.session.timeline import Timeline
from testbed.session.worker_group import R, WorkerGroup
from testbed.workers.protocol import Block, BlockDone, Command, Counters, Leave, Left, Prepare, Ready, Snapshot

PREPARE_TIMEOUT_S = 600.0
SLOWEST_STEP_S = 600.0  # without a sign of life for longer than this a step counts as hung

HostLinks = Callable[[int, str], int]  # (rank, address) -> how many hosts transmit a packet


@dataclass(frozen=True, kw_only=True)
class Before:
    """How counters stood before steps whose bytes are to be explained."""

    counters: list[Counters]
    declared_bytes: int
    step: int


class Crew:
    """Workers that take a cell's steps in turn.

    Attributes:
        step: the next one's number.
    """

    def __init__(self, group: WorkerGroup, cell: Cell, quiet_s: float) -> None:
        """`quiet_s`: after which nothing is in flight any more."""
        self._group = group
        self._workers = cell.network.workers
        self._quiet_s = quiet_s
        self._declared_bytes = 0
        self.step = 0

    def prepare(self, commands: list[Prepare]) -> list[Ready]:
        """Prepare the cell at each worker."""
        self.step = 0
        return self._group.ask(commands, Ready, PREPARE_TIMEOUT_S)

    def leave(self) -> None:
        """End the cell at all workers."""
        self.ask_all(Leave(), Left)

    def take(
        self, compute_s: npt.NDArray[np.float64], traced: int = 0, timeline: Timeline | None = None
    ) -> list[BlockDone]:
        """A block of steps with these seconds of compute, [worker, step], of which the last ones are traced."""
        commands = [Block(self.step, tuple(of_worker), traced) for of_worker in compute_s.tolist()]
        timeout_s = SLOWEST_STEP_S + float(compute_s.max())
        done = self._group.ask(commands, BlockDone, timeout_s, timeline)
        self.step += compute_s.shape[1]
        self._declared_bytes += sum(block.declared_bytes for block in done)
        return done

    def count(self) -> Before:
        """How counters stand, for `explained`."""
        return Before(counters=self._counters(), declared_bytes=self._declared_bytes, step=self.step)

    def explained(self, before: Before, host_links: HostLinks) -> dict[str, Any]:
        """Of the steps since `before`: the `bytes` of the cell's document, and its `processor_wait_s`."""
        after, steps = self._counters(), self.step - before.step
        waited_s = max(b.waited_s - a.waited_s for a, b in zip(before.counters, after, strict=True))
        declared_bytes = self._declared_bytes - before.declared_bytes
        counted: Mapping[str, Any] = account(
            before.counters, after, declared_bytes=declared_bytes, steps=steps, host_links=host_links
        )
        return {"bytes": counted, "processor_wait_s": waited_s / steps}

    def ask_all(self, command: Command, reply_type: type[R]) -> list[R]:
        """All workers' answers to one command."""
        return self._group.ask([command] * self._workers, reply_type, PREPARE_TIMEOUT_S)

    def _counters(self) -> list[Counters]:
        """Of all workers, once the network is quiet: what is in flight belongs to the steps before."""
        time.sleep(self._quiet_s)
        return self.ask_all(Snapshot(), Counters)


def workload_document(ready: Ready, gradients: str) -> dict[str, Any]:
    """The `workload` of a cell's document."""
    return {
        "dataset": ready.dataset,
        "samples": ready.samples,
        "parameters": ready.parameters,
        "gradients": gradients,
    }
