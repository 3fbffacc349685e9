"""What a sweep file says of networks that change, and of workers and links that are slower than the others."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    StrictInt,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import CoreSchema, core_schema

from testbed.cell import Change, OwnLinks, SlowWorker
from testbed.specification.choices import Strict
from testbed.specification.units import format_time
from testbed.specification.values import Down, Instant, Jitter, Latency, Loss, Rate

NOTHING = "none"
_ALL_LINKS = "all"


def _whose_links(value: Any) -> Any:
    """The rank, or None for all links."""
    if value == _ALL_LINKS:
        return None
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    raise ValueError(f"{value!r} is neither `{_ALL_LINKS}` nor the rank of a worker, counted from 0: write one of them")


Links = Annotated[
    int | None,
    BeforeValidator(_whose_links),
    WithJsonSchema({"anyOf": [{"const": _ALL_LINKS}, {"type": "integer", "minimum": 0}]}),
]


class ChangeChoice(Strict):
    """`{at: 3 s, bandwidth: 10 Mbit/s}`, or `{at: 8 s, down: 2 s, links: 3}`."""

    at: Instant = Field(description="time since the start of each repetition's first step")
    links: Links = Field(None, description="all, or the rank of a worker: all links at it, both ways")
    bandwidth: Rate | None = Field(None, description="rate from then on")
    latency: Latency | None = Field(None, description="round trip between neighbouring workers from then on")
    jitter: Jitter | None = Field(None, description="standard deviation of that round trip from then on")
    loss: Loss | None = Field(None, description="share of packets that each link drops from then on")
    down: Down | None = Field(None, description="for so long every packet is lost; then all is as before")

    @model_validator(mode="after")
    def _changes_something(self) -> ChangeChoice:
        values = [key for key in ("bandwidth", "latency", "jitter", "loss") if getattr(self, key) is not None]
        if not values and self.down is None:
            raise ValueError(
                f"at {format_time(self.at)} changes nothing: give bandwidth, latency, jitter, loss or down"
            )
        if values and self.down is not None:
            raise ValueError(
                f"at {format_time(self.at)} has down beside {' and '.join(values)}: give them a change of their own"
            )
        return self

    def resolved(self) -> Change:
        """The cell's change."""
        return Change(
            at_s=self.at,
            worker=self.links,
            bandwidth_bit_per_s=self.bandwidth,
            latency_s=self.latency,
            jitter_s=self.jitter,
            loss=self.loss,
            down_s=self.down,
        )


def _as_one_value(changes: list[ChangeChoice]) -> list[tuple[Change, ...]]:
    """An axis of one value: the changes of one cell are a list already."""
    for earlier, later in pairwise(changes):
        if later.at <= earlier.at:
            raise ValueError(
                f"has {format_time(later.at)} after {format_time(earlier.at)}: its times must increase, so put the "
                "changes in order, and those of one instant into one change"
            )
    return [tuple(change.resolved() for change in changes)]


# Becomes a list of one value, as every key of the product is a list of values.
Schedule = Annotated[list[ChangeChoice], AfterValidator(_as_one_value)]


class StragglerChoice(Strict):
    """`{worker: 3, compute: 2, bandwidth: 10 Mbit/s}`: one worker, or its links, slower than all others."""

    worker: Annotated[StrictInt, Field(ge=0)] = Field(description="its rank, counted from 0")
    compute: Annotated[float, Field(strict=True, gt=1, allow_inf_nan=False)] | None = Field(
        None, description="how many times as long as the others it computes"
    )
    bandwidth: Rate | None = Field(None, description="rate of its links, both ways")
    latency: Latency | None = Field(None, description="round trip between it and a neighbouring worker")

    @model_validator(mode="after")
    def _is_slower_somehow(self) -> StragglerChoice:
        if self.compute is None and self.own_links is None:
            raise ValueError(f"names worker {self.worker} and no more: give compute, bandwidth or latency")
        return self

    @property
    def slow_worker(self) -> SlowWorker | None:
        """The slower compute, if that is what it has."""
        return None if self.compute is None else SlowWorker(worker=self.worker, compute=float(self.compute))

    @property
    def own_links(self) -> OwnLinks | None:
        """The slower links, if that is what it has."""
        if self.bandwidth is None and self.latency is None:
            return None
        return OwnLinks(worker=self.worker, bandwidth_bit_per_s=self.bandwidth, latency_s=self.latency)


class OrNone:
    """Lets `none` stand for nothing, in the file and in the JSON schema; `example` is a mapping."""

    def __init__(self, example: str) -> None:
        self._example = example

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_wrap_validator_function(self._none_or, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"anyOf": [{"const": NOTHING}, handler(schema)]}

    def _none_or(self, value: Any, validate: Any) -> Any:
        if value == NOTHING:
            return None
        if isinstance(value, str):
            raise ValueError(f"{value!r} is neither `{NOTHING}` nor a mapping: write, say, `{self._example}`")
        return validate(value)


Straggler = Annotated[StragglerChoice, OrNone("{worker: 1, compute: 2}")]  # None: no straggler
