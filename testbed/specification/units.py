"""Quantities as people write them (`5 Mbit/s`, `1.4gbit`, `0.13 ms`, `64 KiB`, `1 %`) to SI and back.

A unit that means two things to two people is not defined here, so it is refused: `Mb` (bit or byte), `KB`
(1000 or 1024), `mbps` (megabits to most, megabytes to tc), `m`, and a number without a unit. `5mbit` is tc's
way to write a rate and is read as one where a rate is wanted.
"""

from __future__ import annotations

import re
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import pint

# Every name that may be written. Without prefixes of pint's own, `mbit` is no thousandth of a bit.
_UNITS: Final = {
    "s": "[time]",
    "ms": "1e-3 s",
    "us": "1e-6 s",
    "\N{MICRO SIGN}s": "1e-6 s",
    "\N{GREEK SMALL LETTER MU}s": "1e-6 s",
    "ns": "1e-9 s",
    "bit": "[information]",
    "kbit": "1e3 bit",
    "Mbit": "1e6 bit",
    "mbit": "1e6 bit",
    "Gbit": "1e9 bit",
    "gbit": "1e9 bit",
    "B": "8 bit",
    "kB": "1e3 B",
    "MB": "1e6 B",
    "GB": "1e9 B",
    "KiB": "1024 B",
    "MiB": "1048576 B",
    "GiB": "1073741824 B",
    "percent": "0.01",
}
_QUANTITY: Final = re.compile(r"\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*([^\W\d]+(?:/[^\W\d]+)?)\s*")

_RATES: Final = "bit/s, kbit/s, Mbit/s or Gbit/s, such as `5 Mbit/s`"
_TIMES: Final = "ns, us, ms or s, such as `0.13 ms`"
_SIZES: Final = "B, kB, KiB, MB or MiB, such as `64 KiB`"
_SHARES: Final = "a percentage, such as `1 %`"


@cache
def _registry() -> pint.UnitRegistry[Decimal]:
    """Our own units, in decimal arithmetic, so that `130us` and `0.13 ms` are the same number."""
    import pint  # a third of a second: only a command that reads a sweep file pays it

    registry: pint.UnitRegistry[Decimal] = pint.UnitRegistry(None, non_int_type=Decimal)
    for name, definition in _UNITS.items():
        registry.define(f"{name} = {definition}")
    return registry


def _convert(text: object, to: str, remedy: str) -> float:
    """The quantity in unit `to`. Raises ValueError, which begins with the text, for any other kind."""
    import pint

    match = _QUANTITY.fullmatch(text.replace("%", "percent")) if isinstance(text, str) else None
    if match is None:
        raise ValueError(f"{text!r} is not a number with a unit: write {remedy}")
    number, unit = match.groups()
    if not set(unit.split("/")) <= _UNITS.keys():
        raise ValueError(f"{text!r} has a unit that is unknown or means two things: write {remedy}")
    registry = _registry()
    try:
        return float(registry.Quantity(Decimal(number), registry.parse_units(unit)).m_as(to))
    except pint.DimensionalityError:
        raise ValueError(f"{text!r} is the wrong kind of quantity: write {remedy}") from None


def parse_rate(text: object) -> float:
    """Bits per second of `5 Mbit/s`, `1 MB/s` or tc's `5mbit`."""
    is_shorthand = isinstance(text, str) and "/" not in text and text.rstrip().endswith("bit")
    return _convert(f"{text}".rstrip() + "/s" if is_shorthand else text, "bit/s", _RATES)


def parse_time(text: object) -> float:
    """Seconds of `0.13 ms` or `130us`. Zero needs no unit."""
    return 0.0 if _is_zero(text) else _convert(text, "s", _TIMES)


def parse_size(text: object) -> int:
    """Whole bytes of `64 KiB` or `16 MB`."""
    size_bytes = _convert(text, "B", _SIZES)
    if not size_bytes.is_integer():
        raise ValueError(f"{text!r} is not a whole number of bytes: write {_SIZES}")
    return int(size_bytes)


def parse_share(text: object) -> float:
    """The fraction that `1 %` is. Zero needs no sign; a bare 0.01 could be either, and is refused."""
    return 0.0 if _is_zero(text) else _convert(text, "", _SHARES)


def _is_zero(text: object) -> bool:
    return isinstance(text, (int, float)) and not isinstance(text, bool) and text == 0


def format_rate(rate_bit_per_s: float) -> str:
    """A rate for people: `5 Mbit/s`."""
    sizes = {"Gbit/s": 1e9, "Mbit/s": 1e6, "kbit/s": 1e3}
    unit = next((unit for unit, size in sizes.items() if rate_bit_per_s >= size), "bit/s")
    return f"{rate_bit_per_s / sizes.get(unit, 1):.6g} {unit}"


def format_time(time_s: float) -> str:
    """A time for people: `0.13 ms`; microseconds only below a tenth of a millisecond."""
    if time_s >= 1:
        return f"{time_s:.6g} s"
    return f"{time_s * 1e3:.6g} ms" if time_s >= 1e-4 else f"{time_s * 1e6:.6g} us"
