"""What a sweep file chooses by name, with options beside it (topology, algorithm, codec); and the steps."""

from __future__ import annotations

from typing import Annotated, Any, Final

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

from testbed.cell import Steps

CONTRACT: Final = Steps()  # the measurement contract's minima are the defaults


class Strict(BaseModel):
    """A mapping whose unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class _NameAlone:
    """Lets `ring` stand for `{name: ring}`, in the file and in the JSON schema."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_before_validator_function(_as_mapping, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"anyOf": [{"type": "string"}, handler(schema)]}


def _as_mapping(value: Any) -> Any:
    return {"name": value} if isinstance(value, str) else value


class TopologyChoice(Strict):
    """`ring`, or `{name: tree, arity: 4}`."""

    name: str
    arity: StrictInt | None = Field(None, description="workers below each leaf switch; trees only")


class _WithOptions(BaseModel):
    """Something that takes options of its own beside the name."""

    model_config = ConfigDict(extra="allow", frozen=True)

    name: str

    @property
    def options(self) -> dict[str, Any]:
        """What is written beside the declared keys."""
        return dict(self.__pydantic_extra__ or {})


class CodecChoice(_WithOptions):
    """`fp32`, or `{name: qsgd, bits: 8}`."""


Codec = Annotated[CodecChoice, _NameAlone()]


class AlgorithmChoice(_WithOptions):
    """`allreduce`, or `{name: dcd-psgd, codec: qsgd}`, whose codec takes the place of the key `codec`."""

    codec: Codec | None = None


Topology = Annotated[TopologyChoice, _NameAlone()]
Algorithm = Annotated[AlgorithmChoice, _NameAlone()]


class StepsChoice(Strict):
    """How many steps a cell takes; the measurement contract's minima are refused to be cut."""

    warmup_min: StrictInt = Field(CONTRACT.warmup_min, ge=CONTRACT.warmup_min)
    warmup_max: StrictInt = Field(CONTRACT.warmup_max, ge=CONTRACT.warmup_min)
    measured: StrictInt = Field(CONTRACT.measured, ge=CONTRACT.measured)
    repetitions: StrictInt = Field(CONTRACT.repetitions, ge=CONTRACT.repetitions)

    @model_validator(mode="after")
    def _warmup_in_order(self) -> StepsChoice:
        if self.warmup_max < self.warmup_min:
            raise ValueError(f"warmup_max {self.warmup_max} is below warmup_min {self.warmup_min}")
        return self

    def resolved(self) -> Steps:
        """The cell's steps."""
        return Steps(**self.model_dump())
