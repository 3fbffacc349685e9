"""The quantities a sweep file's keys take, each checked and converted to SI here, once; and lists of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Final, TypeVar

from pydantic import BeforeValidator, Field, GetCoreSchemaHandler, GetJsonSchemaHandler, WithJsonSchema
from pydantic_core import CoreSchema, core_schema

from testbed.specification import units

T = TypeVar("T")

# After a time without an answer TCP waits as long again, 120 s at most, before it tries once more; a lab that says
# nothing for 300 s counts as hung.
LONGEST_DOWN_S: Final = 120.0
LARGEST_FRAME_BYTES: Final = 1514  # Ethernet without its checksum; a queue that holds less passes nothing


class _OneOrList:
    """Lets a list field be written as a single value too, in the file and in the JSON schema."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_before_validator_function(_as_list, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        array = handler(schema)
        return {"anyOf": [array["items"], array]}


def _as_list(value: Any) -> Any:
    return value if isinstance(value, list) else [value]


Axis = Annotated[list[T], Field(min_length=1), _OneOrList()]


def _quantity(convert: Callable[[object], T], rule: Callable[[T], str | None], *examples: str) -> Any:
    """What makes a field a quantity: text in the file and the schema, SI in Python, and the rule it obeys."""

    def check(text: object) -> T:
        value = convert(text)
        if broken := rule(value):
            raise ValueError(f"{text!r} {broken}")
        return value

    return BeforeValidator(check), WithJsonSchema({"type": ["string", "number"], "examples": list(examples)})


def _positive(value: float) -> str | None:
    return None if value > 0 else "is not above zero"


def _not_negative(value: float) -> str | None:
    return None if value >= 0 else "is negative"


def _short_enough_down(value: float) -> str | None:
    if value <= 0:
        return "is not above zero"
    return None if value <= LONGEST_DOWN_S else f"is above {LONGEST_DOWN_S:g} s, after which a step counts as hung"


def _survivable_loss(value: float) -> str | None:
    return None if 0 <= value <= 0.2 else "is outside 0 % to 20 %, beyond which TCP makes no progress"


@dataclass(frozen=True, kw_only=True)
class QueueLimit:
    """How much a link queues in each direction: bytes, or the bytes that leave in a time."""

    size_bytes: int = 0
    time_s: float | None = None

    def at(self, rate_bit_per_s: float) -> int:
        """Whole bytes on a link of this rate."""
        return self.size_bytes if self.time_s is None else round(self.time_s * rate_bit_per_s / 8)


def _parse_queue(text: object) -> QueueLimit:
    try:
        return QueueLimit(time_s=units.parse_time(text))
    except ValueError:
        try:
            return QueueLimit(size_bytes=units.parse_size(text))
        except ValueError as error:
            raise ValueError(f"{error}, or as a time, such as `50 ms`") from None


def _passes_a_frame(limit: QueueLimit) -> str | None:
    if limit.time_s is not None:
        return _positive(limit.time_s)
    small = limit.size_bytes < LARGEST_FRAME_BYTES
    return f"holds no frame of {LARGEST_FRAME_BYTES} bytes: write at least `2 kB`" if small else None


Rate = Annotated[float, *_quantity(units.parse_rate, _positive, "5 Mbit/s", "1.4 Gbit/s", "10gbit")]
Latency = Annotated[float, *_quantity(units.parse_time, _positive, "0.13 ms", "130us", "20 ms")]
Instant = Annotated[float, *_quantity(units.parse_time, _not_negative, "3 s", "500 ms")]
Down = Annotated[float, *_quantity(units.parse_time, _short_enough_down, "2 s", "300 ms")]
Jitter = Annotated[float, *_quantity(units.parse_time, _not_negative, "0", "0.1 ms")]
Loss = Annotated[float, *_quantity(units.parse_share, _survivable_loss, "0", "0.1 %")]
Size = Annotated[int, *_quantity(units.parse_size, _positive, "512 MiB", "2 GiB")]
Queue = Annotated[QueueLimit, *_quantity(_parse_queue, _passes_a_frame, "16 MiB", "64 KiB", "50 ms")]
