"""The keys of a training file: the one place where they, their meaning and their defaults are declared."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BeforeValidator, Field, PlainValidator, StrictInt

from testbed.specification.choices import (
    Algorithm,
    Codec,
    ContainersChoice,
    Partition,
    PartitionChoice,
    Positive,
    Strict,
    TopologyChoice,
    Workload,
)
from testbed.specification.dynamics import OrNone, StragglerChoice
from testbed.specification.reading import Kind
from testbed.specification.values import Axis
from testbed.training.network_file import NetworkChoice
from testbed.training.rate import RateSchedule, Shape
from testbed.training.trial import DIVERGENCE

NO_LIMIT: Final = "none"
OF_WORKERS: Final = "rate/workers"

_Count = Annotated[StrictInt, Field(ge=1)]
_Share = Annotated[float, Field(strict=True, ge=0, lt=1)]


def _positive_or(word: str) -> PlainValidator:
    """What makes a field a number above 0, or a word that stands for one."""

    def check(value: Any) -> float | str:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if value == word or (is_number and 0 < value < math.inf):
            return value if value == word else float(value)
        raise ValueError(f"{value!r} is neither `{word}` nor a number above 0: write one of them")

    return PlainValidator(check, json_schema_input_type=float | str)


class WarmupChoice(Strict):
    """`{epochs: 10}`: from the rate divided by the number of workers, as Shi 2019 has it."""

    epochs: _Count = Field(description="how long it lasts")
    start: Annotated[float | str, _positive_or(OF_WORKERS)] = Field(OF_WORKERS, description="rate of the first step")
    shape: Shape = Field("linear", description="step by step up to the rate; or constant: at start until it ends")


def _increasing(epochs: list[int]) -> list[int]:
    for earlier, later in pairwise(epochs):
        if later <= earlier:
            raise ValueError(f"has {later} after {earlier}: its epochs must increase, so put them in order")
    return epochs


class DropsChoice(Strict):
    """`{after: [80, 120], factor: 0.1}`."""

    after: Annotated[list[_Count], Field(min_length=1), AfterValidator(_increasing)] = Field(
        description="epochs, counted from 1, after which the rate drops"
    )
    factor: Annotated[float, Field(strict=True, gt=0, lt=1)] = Field(0.1, description="that it is multiplied by")


class RateChoice(Strict):
    """`0.1`, or `{initial: 0.1, for_workers: 4, warmup: {epochs: 5}, drops: {after: [110]}}`."""

    initial: Positive | None = Field(None, description="default: that of the workload's recipe")
    for_workers: _Count | None = Field(
        None, description="the linear scaling rule: initial is for so many workers, and in proportion for others"
    )
    warmup: WarmupChoice | None = Field(None, description="up to the rate, in the first epochs")
    drops: DropsChoice | None = Field(None, description="after some epochs, for good")

    def resolved(self, default: float, workers: int) -> RateSchedule:
        """The schedule for so many workers; `default` is the recipe's rate."""
        initial = default if self.initial is None else self.initial
        rate = initial if self.for_workers is None else initial * workers / self.for_workers
        chosen: dict[str, Any] = {}
        if self.warmup is not None:
            start = rate / workers if self.warmup.start == OF_WORKERS else self.warmup.start
            chosen |= {"warmup_epochs": self.warmup.epochs, "warmup_start": start, "warmup_shape": self.warmup.shape}
        if self.drops is not None:
            chosen |= {"drops_after": tuple(self.drops.after), "drop_factor": self.drops.factor}
        return RateSchedule(rate=rate, **chosen)


def _initial_alone(value: Any) -> Any:
    """Lets `0.1` stand for `{initial: 0.1}`."""
    if isinstance(value, str | bool):
        raise ValueError(f"{value!r} is neither a number nor a mapping: write, say, `0.1`")
    return {"initial": value} if isinstance(value, int | float) else value


def _one_value(densities: list[float]) -> list[tuple[float, ...]]:
    """An axis of one value: the densities of one trial are a list already."""
    return [tuple(densities)]


_Rate = Annotated[RateChoice, BeforeValidator(_initial_alone)]
_Network = Annotated[NetworkChoice, OrNone("{bandwidth: 20 Mbit/s, latency: 5 ms}")]  # None: no network
_Densities = Annotated[list[Annotated[float, Field(strict=True, gt=0, le=1)]], AfterValidator(_one_value)]


class Axes(Strict):
    """The keys that may be lists. A file's trials are the product of all their values."""

    workload: Axis[Workload] = Field(
        [{"name": "resnet20"}], validate_default=True, description="a model with its data set; its options beside"
    )
    algorithm: Axis[Algorithm] = Field([], description="a name, or a mapping with name, codec and options")
    codec: Axis[Codec] = Field(
        [{"name": "fp32"}], validate_default=True, description="of the algorithms that name none themselves"
    )
    graph: Axis[str] = Field(["ring"], description="who averages with whom in a decentralized algorithm")
    workers: Axis[StrictInt] = Field([8], description="model replicas, at least 2")
    batch_size: Axis[_Count] = Field([128], description="per worker")
    epochs: Axis[_Count] = Field([], description="passes over the training data")
    partition: Axis[Partition] = Field(
        [{"name": "partitioned"}],
        validate_default=True,
        description="partitioned, shared, sorted, or dirichlet with its alpha",
    )
    rate: Axis[_Rate] = Field([{}], validate_default=True, description="learning rate: a number, or its schedule")
    momentum: Axis[_Share] = Field([], description="of algorithms that name none; default: the workload's recipe")
    weight_decay: Axis[Annotated[float, Field(strict=True, ge=0, allow_inf_nan=False)]] = Field(
        [], description="of algorithms that name none; default: the workload's recipe"
    )
    clip_norm: Axis[Annotated[float | str, _positive_or(NO_LIMIT)]] = Field(
        [], description="longest local gradient, or none; default: the workload's recipe"
    )
    density_warmup: _Densities = Field(
        [], validate_default=True, description="densities of the first epochs, in algorithms that have them: one list"
    )
    evaluate_every: Axis[_Count] = Field([1], description="epochs from one evaluation to the next; the last has one")
    divergence: Axis[Positive] = Field(
        [DIVERGENCE], description="times the first step's loss: above it a training has diverged, and ends"
    )
    device: Axis[Literal["cpu", "cuda"]] = Field(["cpu"], description="of this machine, that computes")
    network: Axis[_Network] = Field(
        ["none"], validate_default=True, description="none: in one process; or a network, by a sweep file's keys"
    )
    seeds: Axis[Annotated[StrictInt, Field(ge=0)]] = Field([1], description="a trial for each")


class Block(Axes):
    """Part of a training file: the keys that it gives, each a value or a list."""


class TrainingFile(Axes):
    """A training file: the product of its lists, plus what `include` adds."""

    name: str = Field("", pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", description="of the run; default: the file's")
    algorithm: Axis[Algorithm] = Field(description="a name, or a mapping with name, codec and options")
    epochs: Axis[_Count] = Field(description="passes over the training data")
    include: list[Block] = Field(
        [], description="a block is the whole file once more, its keys in the place of the file's"
    )


TRAINING: Final = Kind(
    name="training file",
    example="trainings/smoke.yaml",
    line="epochs: 10",
    file=TrainingFile,
    block=Block,
    nested={
        "partition": PartitionChoice,
        "rate": RateChoice,
        "warmup": WarmupChoice,
        "drops": DropsChoice,
        "network": NetworkChoice,
        "containers": ContainersChoice,
        "topology": TopologyChoice,
        "straggler": StragglerChoice,
    },
)
