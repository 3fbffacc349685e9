"""A cell: one point of a sweep, resolved to SI units, and the identity under which its result is kept."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

# Fields that cells did not always have. An id leaves them out where they have these values, so that the cells of older
# runs keep theirs.
_ADDED: Final[Mapping[str, Any]] = {"capture": False}


@dataclass(frozen=True, kw_only=True)
class Network:
    """An emulated network: a topology and the shaping of its links. Cells with equal networks share one probe."""

    topology: str
    workers: int
    arity: int | None = None  # workers below each leaf switch; trees only
    bandwidth_bit_per_s: float  # of every link, in each direction
    trunk_bit_per_s: float | None = None  # of links between switches; None: as bandwidth
    latency_s: float  # round trip that delays add between two neighbouring workers
    jitter_s: float = 0.0  # standard deviation of that round trip
    loss: float = 0.0  # probability that a link drops a packet, each way
    queue_bytes: int  # of every link, in each direction, before the delay
    slow_start_after_idle: bool = False  # whether TCP's window starts anew after an idle time, such as a long compute


@dataclass(frozen=True, kw_only=True)
class Steps:
    """How many steps a cell takes. The minima are the measurement contract's and are never cut."""

    warmup_min: int = 3
    warmup_max: int = 12
    measured: int = 10
    repetitions: int = 3


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One point of a sweep. Equal cells have equal `id`s, whatever sweep declared them."""

    lab: str  # virtual | host
    network: Network
    algorithm: str
    algorithm_options: Mapping[str, Any] = field(default_factory=dict)
    codec: str
    codec_options: Mapping[str, Any] = field(default_factory=dict)
    graph: str
    workload: str
    batch_size: int  # per worker
    device: str  # the profile of compute
    compute_scale: float = 1.0  # multiplies the profile's compute seconds (0.5 and 2: the estimates' sensitivity)
    gradients: str = "recorded"  # recorded | live | none (a constant; workload vector-<N>)
    steps: Steps = Steps()
    full_epoch: bool = False
    seed: int = 1
    capture: bool = False  # whether a pcap file is kept of every link

    def to_json(self) -> dict[str, Any]:
        """The cell as plain JSON values; `from_json` restores an equal cell."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Cell:
        """The cell that `to_json` wrote."""
        plain = dict(values)
        return cls(**plain | {"network": Network(**plain["network"]), "steps": Steps(**plain["steps"])})

    @property
    def id(self) -> str:
        """Sixteen hexadecimal digits of the cell's content: the name of its result file."""
        added = {key for key, default in _ADDED.items() if getattr(self, key) == default}
        content = {key: value for key, value in self.to_json().items() if key not in added}
        canonical = json.dumps(content, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()[:16]
