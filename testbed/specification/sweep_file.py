"""The keys of a sweep file: the one place where they, their meaning and their defaults are declared."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StrictBool, StrictInt

from testbed.specification.choices import (
    Algorithm,
    Codec,
    ContainersChoice,
    ContainersOrName,
    Partition,
    StepsChoice,
    Strict,
    Topology,
    Workload,
)
from testbed.specification.dynamics import Schedule, Straggler
from testbed.specification.values import Axis, Jitter, Latency, Loss, Queue, QueueLimit, Rate

# The packet buffer that the ports of a data-centre switch share: by default nothing is dropped.
_SWITCH_BUFFER = QueueLimit(size_bytes=16 * 2**20)
_Scale = Annotated[float, Field(strict=True, gt=0, allow_inf_nan=False)]


class Axes(Strict):
    """The keys that may be lists. A file's cells are the product of all their values."""

    lab: Axis[Literal["auto", "virtual", "host"]] = Field(["auto"], description="where the network is emulated")
    containers: Axis[ContainersOrName] = Field(
        [{"engine": "none"}],
        validate_default=True,
        description="of the host lab: none, docker, or a mapping with engine, image and limits of each worker",
    )
    topology: Axis[Topology] = Field(
        [{"name": "star"}], validate_default=True, description="ring, star, or tree with its arity"
    )
    workers: Axis[StrictInt] = Field([8], description="MPI ranks, each in a host of its own")
    bandwidth: Axis[Rate] = Field([], description="rate of every link, in each direction")
    trunk: Axis[Rate] = Field([], description="rate of the links between switches of a tree; default: bandwidth")
    latency: Axis[Latency] = Field(
        [], description="round trip that the links' delays add between two neighbouring workers"
    )
    jitter: Axis[Jitter] = Field([0.0], description="standard deviation of that round trip")
    loss: Axis[Loss] = Field([0.0], description="share of packets that each link drops, each way")
    queue: Axis[Queue] = Field([_SWITCH_BUFFER], description="of every link, each way: bytes, or a time")
    slow_start_after_idle: Axis[StrictBool] = Field(
        [False], description="whether TCP's window starts anew after an idle time, such as a long compute phase"
    )
    algorithm: Axis[Algorithm] = Field([], description="a name, or a mapping with name, codec and options")
    codec: Axis[Codec] = Field(
        [{"name": "fp32"}], validate_default=True, description="of the algorithms that name none themselves"
    )
    graph: Axis[str] = Field(["ring"], description="who averages with whom in a decentralized algorithm")
    workload: Axis[Workload] = Field(
        [{"name": "resnet20"}], validate_default=True, description="a model with its data set; its options beside"
    )
    batch_size: Axis[Annotated[StrictInt, Field(ge=1)]] = Field([128], description="per worker")
    partition: Axis[Partition] = Field(
        [{"name": "partitioned"}],
        validate_default=True,
        description="who sees which samples: partitioned, shared, sorted, or dirichlet with its alpha",
    )
    device: Axis[str] = Field(
        ["k80"], description="the profile that says how long compute takes; in lab host, cpu and cuda compute for real"
    )
    compute_scale: Axis[_Scale] = Field([1.0], description="multiplies the profile's compute time")
    gradients: Axis[Literal["recorded", "live", "none"]] = Field(
        ["recorded"], description="replayed, computed, or none: a constant, where no time depends on values"
    )
    steps: Axis[StepsChoice] = Field(
        [StepsChoice.model_validate({})], description="warm-up, measured steps, repetitions"
    )
    full_epoch: Axis[StrictBool] = Field([False], description="measure whole epochs")
    seed: Axis[Annotated[StrictInt, Field(ge=0)]] = Field([1], description="of everything that is drawn")
    straggler: Axis[Straggler] = Field(
        ["none"], validate_default=True, description="a worker that is slower than the others, or whose links are"
    )
    schedule: Schedule = Field(
        [], validate_default=True, description="what changes while a cell is measured: one list, not an axis"
    )
    capture: Axis[StrictBool] = Field([False], description="whether a pcap file is kept of every link")


class Block(Axes):
    """Part of a sweep: the keys that it gives, each a value or a list."""


class SweepFile(Axes):
    """A sweep file: the product of its lists, less what `exclude` matches, plus what `include` adds."""

    name: str = Field("", pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", description="of the run; default: the file's")
    bandwidth: Axis[Rate] = Field(description="rate of every link, in each direction")
    latency: Axis[Latency] = Field(description="round trip that the links' delays add between two neighbouring workers")
    algorithm: Axis[Algorithm] = Field(description="a name, or a mapping with name, codec and options")
    exclude: list[Block] = Field([], description="cells that match every key of a block are left out")
    include: list[Block] = Field(
        [], description="a block is the whole sweep once more, its keys in the place of the file's"
    )

    def in_lab(self, lab: str) -> SweepFile:
        """The same sweep with all its cells in one lab. `exclude` is as it was: it leaves out, it declares none."""
        return self._with("lab", lab)

    def in_containers(self, engine: str) -> SweepFile:
        """The same sweep with all its cells in containers of an engine, or in none. `exclude` is as it was."""
        return self._with("containers", ContainersChoice.model_validate({"engine": engine}))

    def _with(self, key: str, value: object) -> SweepFile:
        include = [block.model_copy(update={key: [value]}) for block in self.include]
        return self.model_copy(update={key: [value], "include": include})
