"""A cell: one point of a sweep, resolved to SI units, and the identity under which its result is kept."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

CUDA = "cuda"  # the device whose work a GPU of this machine does


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
class Containers:
    """Containers as the hosts of workers; limits are each worker's own."""

    engine: str = "docker"
    image: str | None = None  # None: one of this machine's own files
    cpus: float | None = None  # processor time per time; None: no limit
    memory_bytes: int | None = None  # None: no limit

    @property
    def words(self) -> str:
        """Engine, image and limits for people: `docker, 0.5 cpus, 512 MiB`."""
        words = [self.engine, self.image]
        words += [] if self.cpus is None else [f"{self.cpus:g} cpus"]
        words += [] if self.memory_bytes is None else [f"{self.memory_bytes / 2**20:g} MiB"]
        return ", ".join(word for word in words if word)


@dataclass(frozen=True, kw_only=True)
class Hosting:
    """What workers run in. Cells of one hosting can share hosts; any other needs its own."""

    containers: Containers | None = None  # None: processes in network namespaces
    gpus: bool = False  # whether containers are given GPUs

    @property
    def name(self) -> str:
        """A short name; empty for namespaces."""
        if self.containers is None:
            return ""
        return f"{self.containers.engine}-{_digest(dataclasses.asdict(self))[:8]}"


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
    containers: Containers | None = None  # of the host lab; None: processes in network namespaces

    def to_json(self) -> dict[str, Any]:
        """The cell as plain JSON values; `from_json` restores an equal cell."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Cell:
        """The cell that `to_json` wrote."""
        plain = dict(values)
        plain |= {"network": Network(**plain["network"]), "steps": Steps(**plain["steps"])}
        if plain.get("containers") is not None:
            plain["containers"] = Containers(**plain["containers"])
        return cls(**plain)

    @property
    def id(self) -> str:
        """Sixteen hexadecimal digits of the cell's content: the name of its result file.

        What came later counts only where it is used, so that results which were kept before stay the cell's.
        """
        content = self.to_json()
        if self.containers is None:
            del content["containers"]
        return _digest(content)[:16]

    @property
    def hosting(self) -> Hosting:
        """What its workers run in."""
        return Hosting(containers=self.containers, gpus=self.containers is not None and self.device == CUDA)


def _digest(content: Mapping[str, Any]) -> str:
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()
