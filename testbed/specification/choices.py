"""What a sweep file chooses by name, with options beside it (topology, algorithm, codec); and the steps."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    StrictInt,
    model_validator,
)
from pydantic_core import CoreSchema, core_schema

from testbed.cell import Containers, Steps
from testbed.specification.values import Size

Positive = Annotated[float, Field(strict=True, gt=0, allow_inf_nan=False)]

LEAST_CPUS: Final = 0.01  # the least that Docker takes
LEAST_MEMORY_BYTES: Final = 256 * 2**20  # Python with torch
CONTRACT: Final = Steps()  # the measurement contract's minima are the defaults


class Strict(BaseModel):
    """A mapping whose unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class NameAlone:
    """Lets `ring` stand for `{name: ring}`, in the file and in the JSON schema."""

    def __init__(self, key: str = "name") -> None:
        self._key = key

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_before_validator_function(self._as_mapping, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"anyOf": [{"type": "string"}, handler(schema)]}

    def _as_mapping(self, value: Any) -> Any:
        return {self._key: value} if isinstance(value, str) else value


class TopologyChoice(Strict):
    """`ring`, or `{name: tree, arity: 4}`."""

    name: str = Field(description="ring, star or tree")
    arity: StrictInt | None = Field(None, description="workers below each leaf switch; trees only")


class WithOptions(BaseModel):
    """Something that takes options of its own beside the name."""

    model_config = ConfigDict(extra="allow", frozen=True)

    name: str = Field(description="its own options stand beside it")

    @property
    def options(self) -> dict[str, Any]:
        """What is written beside the declared keys."""
        return dict(self.__pydantic_extra__ or {})


class CodecChoice(WithOptions):
    """`fp32`, or `{name: qsgd, bits: 8}`."""


class WorkloadChoice(WithOptions):
    """`resnet20`, or `{name: resnet20, statistics: local, samples: 5000}`."""


class PartitionChoice(Strict):
    """`partitioned`, or `{name: dirichlet, alpha: 0.3}`."""

    name: str = Field(description="partitioned, shared, sorted or dirichlet")
    alpha: Positive | None = Field(None, description="of dirichlet: how alike workers are; default: 0.5")


Codec = Annotated[CodecChoice, NameAlone()]


class AlgorithmChoice(WithOptions):
    """`allreduce`, or `{name: dcd-psgd, codec: qsgd}`, whose codec takes the place of the key `codec`."""

    codec: Codec | None = Field(None, description="in the place of the file's")


Topology = Annotated[TopologyChoice, NameAlone()]
Algorithm = Annotated[AlgorithmChoice, NameAlone()]
Workload = Annotated[WorkloadChoice, NameAlone()]
Partition = Annotated[PartitionChoice, NameAlone()]


class ContainersChoice(Strict):
    """`none`, `docker`, or `{engine: docker, cpus: 1, memory: 1 GiB}`."""

    engine: Literal["none", "docker"] = Field(description="none: workers are processes in network namespaces")
    image: str | None = Field(None, min_length=1, description="with Gradwire in it; default: this machine's own files")
    cpus: Annotated[float, Field(strict=True, ge=LEAST_CPUS, allow_inf_nan=False)] | None = Field(
        None, description="processor time of each worker: 0.5 is half a core; default: no limit"
    )
    memory: Size | None = Field(None, description="of each worker; default: no limit")

    @model_validator(mode="after")
    def _none_has_no_options(self) -> ContainersChoice:
        given = [key for key in ("image", "cpus", "memory") if getattr(self, key) is not None]
        if self.engine == "none" and given:
            raise ValueError(f"none has no {given[0]}: leave it out, or write engine: docker")
        if self.memory is not None and self.memory < LEAST_MEMORY_BYTES:
            raise ValueError(f"memory {self.memory} bytes does not hold a worker: give at least `256 MiB`")
        return self

    def resolved(self) -> Containers | None:
        """The cell's containers; None for `none`."""
        if self.engine == "none":
            return None
        return Containers(engine=self.engine, image=self.image, cpus=self.cpus, memory_bytes=self.memory)


ContainersOrName = Annotated[ContainersChoice, NameAlone("engine")]


class StepsChoice(Strict):
    """How many steps a cell takes; the measurement contract's minima are refused to be cut."""

    warmup_min: StrictInt = Field(
        CONTRACT.warmup_min, ge=CONTRACT.warmup_min, description="steps before any is measured"
    )
    warmup_max: StrictInt = Field(
        CONTRACT.warmup_max,
        ge=CONTRACT.warmup_min,
        description="steps after which measuring begins even where the step time has not settled",
    )
    measured: StrictInt = Field(CONTRACT.measured, ge=CONTRACT.measured, description="steps of each repetition")
    repetitions: StrictInt = Field(
        CONTRACT.repetitions,
        ge=CONTRACT.repetitions,
        description="each with compute times drawn anew; intervals are over them",
    )

    @model_validator(mode="after")
    def _warmup_in_order(self) -> StepsChoice:
        if self.warmup_max < self.warmup_min:
            raise ValueError(f"warmup_max {self.warmup_max} is below warmup_min {self.warmup_min}")
        return self

    def resolved(self) -> Steps:
        """The cell's steps."""
        return Steps(**self.model_dump())
