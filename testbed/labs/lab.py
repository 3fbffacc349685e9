"""The boundary between the testbed and a lab: cells go in, events come out."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from testbed.cell import Cell


@dataclass(frozen=True)
class CellStarted:
    """A lane (one guest of the virtual lab; the host lab has one) began a cell."""

    lane: int
    cell_id: str


@dataclass(frozen=True)
class CellProgress:
    """The cell under way in a lane took a block of steps."""

    lane: int
    cell_id: str
    step: int
    phase: str  # warm-up | measuring


@dataclass(frozen=True)
class CellEpoch:
    """An epoch of a whole training is over: testbed.session.whole_training's document of it."""

    lane: int
    cell_id: str
    epoch: int  # counted from 1
    document: dict[str, Any]
    kept: Path  # a folder with what each worker had after it; it is gone when the report returns


@dataclass(frozen=True)
class CellFinished:
    """A cell was measured. `measurement` and `trace` are docs/architecture.md's, less the cell itself."""

    lane: int
    cell_id: str
    measurement: dict[str, Any]
    trace: dict[str, Any] = field(default_factory=dict)
    captures: Path | None = None  # a folder of pcap files; it is gone when the report returns


@dataclass(frozen=True)
class CellFailed:
    """A cell has no result; `reason` is one sentence."""

    lane: int
    cell_id: str
    reason: str
    diverged: bool = False  # whether its own numbers are the reason


@dataclass(frozen=True)
class Note:
    """Something a person wants to know while waiting (a guest is starting, a network is being probed)."""

    lane: int
    text: str


Event = CellStarted | CellProgress | CellEpoch | CellFinished | CellFailed | Note


class Lab(Protocol):
    """Emulates networks and measures cells on them."""

    name: str

    def prepare(self, cells: Sequence[Cell], say: Callable[[str], None]) -> None:
        """Make ready what the cells need (kernel, recorded gradients); raise UserError where that cannot be."""

    def lane_bytes(self, cell: Cell) -> int:
        """Memory that a lane takes at most while it measures `cell`."""

    def provenance(self) -> dict[str, Any]:
        """What a reader needs to trust a number: kernel, its configuration's digest, MPI, torch, sysctls."""

    def run(self, cells: Sequence[Cell], report: Callable[[Event], None], stop: threading.Event, jobs: int) -> None:
        """Measure the cells in up to `jobs` lanes; every cell ends as CellFinished or CellFailed unless `stop` is set.

        `report` is called from one thread at a time. On return, and on any exception, no process, namespace or
        interface of the lab remains.
        """
