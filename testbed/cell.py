"""A cell: one point of a sweep, resolved to SI units, and the identity under which its result is kept."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final


@dataclass(frozen=True, kw_only=True)
class OwnLinks:
    """What the links of one worker have of their own, both ways. None: as the network's other links."""

    worker: int  # rank
    bandwidth_bit_per_s: float | None = None
    latency_s: float | None = None  # round trip that delays add between this worker and a neighbouring one
    jitter_s: float | None = None  # standard deviation of that round trip
    loss: float | None = None


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
    own_links: tuple[OwnLinks, ...] = ()  # of two that name the same link, the later holds

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Network:
        """The network of a cell's `to_json`."""
        own_links = tuple(OwnLinks(**own) for own in values.get("own_links", ()))
        return cls(**dict(values) | {"own_links": own_links})


@dataclass(frozen=True, kw_only=True)
class Change:
    """Something that happens to links while a cell is measured. None: that value stays as it is."""

    at_s: float  # from the start of each repetition's first step
    worker: int | None = None  # whose links, by rank; None: all links of the network
    bandwidth_bit_per_s: float | None = None
    latency_s: float | None = None
    jitter_s: float | None = None
    loss: float | None = None
    down_s: float | None = None  # for so long every packet is lost, both ways


@dataclass(frozen=True, kw_only=True)
class SlowWorker:
    """A worker whose compute takes longer than the others'."""

    worker: int  # rank
    compute: float  # factor on its compute seconds


OWN_DEVICES = ("cpu", "cuda")  # this machine's: the host lab computes on them, the virtual lab has them by profile


@dataclass(frozen=True, kw_only=True)
class Steps:
    """How many steps a cell takes. The minima are the measurement contract's and are never cut."""

    warmup_min: int = 3
    warmup_max: int = 12
    measured: int = 10
    repetitions: int = 3


# Keys that are younger than the first runs. At these values they are no part of a cell's identity, so that results of
# before they were there keep their names.
_YOUNGER: Final[Mapping[str, Any]] = {
    "slow_worker": None, "schedule": [], "containers": None, "capture": False,
    "workload_options": {}, "partition": "partitioned", "alpha": None, "training": None,
}  # fmt: skip
_YOUNGER_OF_NETWORK: Final[Mapping[str, Any]] = {"own_links": []}


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
class WholeTraining:
    """What a cell trains from beginning to end, epoch by epoch, in the place of steps that are measured."""

    trial: Mapping[str, Any]  # testbed.training.trial.Trial as JSON, without its network, which is the cell's own
    after_epochs: int = 0  # that were trained before
    checkpoint: str | None = None  # file of what the workers had then


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
    gradients: str = "recorded"  # recorded | live | none (a constant; also of workload vector-<N>)
    steps: Steps = Steps()
    full_epoch: bool = False
    seed: int = 1
    slow_worker: SlowWorker | None = None
    schedule: tuple[Change, ...] = ()  # in the order of time; the same in every repetition
    containers: Containers | None = None  # of the host lab; None: processes in network namespaces
    capture: bool = False  # whether a pcap file is kept of every link
    workload_options: Mapping[str, Any] = field(default_factory=dict)  # those that are not the defaults
    partition: str = "partitioned"  # who sees which samples
    alpha: float | None = None  # of partition dirichlet
    training: WholeTraining | None = None

    def to_json(self) -> dict[str, Any]:
        """The cell as plain JSON values; `from_json` restores an equal cell."""
        plain = dataclasses.asdict(self)
        network = plain["network"] | {"own_links": list(plain["network"]["own_links"])}
        return plain | {"network": network, "schedule": list(plain["schedule"])}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Cell:
        """The cell that `to_json` wrote."""
        slow, containers, training = (values.get(key) for key in ("slow_worker", "containers", "training"))
        return cls(
            **dict(values)
            | {
                "network": Network.from_json(values["network"]),
                "steps": Steps(**values["steps"]),
                "slow_worker": None if slow is None else SlowWorker(**slow),
                "schedule": tuple(Change(**change) for change in values.get("schedule", ())),
                "containers": None if containers is None else Containers(**containers),
                "training": None if training is None else WholeTraining(**training),
            }
        )

    @property
    def computes_here(self) -> bool:
        """Whether workers compute for real, on this machine's own device, and no profile says how long."""
        return self.lab == "host" and self.device in OWN_DEVICES

    @property
    def computes(self) -> bool:
        """Whether workers compute their gradients, be it in no emulated time."""
        return self.gradients == "live"

    @property
    def in_real_time(self) -> bool:
        """Whether whatever else this machine does takes time from it."""
        return self.lab != "virtual"

    @property
    def can_overrun(self) -> bool:
        """Whether work may take longer than the profile says: in real time, where another device is emulated."""
        return self.in_real_time and not self.computes_here

    @property
    def id(self) -> str:
        """Sixteen hexadecimal digits of the cell's content: the name of its result file."""
        values = _without(self.to_json(), _YOUNGER)
        values["network"] = _without(values["network"], _YOUNGER_OF_NETWORK)
        return _digest(values)[:16]

    @property
    def hosting(self) -> Hosting:
        """What its workers run in."""
        return Hosting(containers=self.containers, gpus=self.containers is not None and self.device == CUDA)


def _without(values: Mapping[str, Any], absent: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if key not in absent or value != absent[key]}


def _digest(content: Mapping[str, Any]) -> str:
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()
