from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.specification.units import (
    format_rate,
    format_time,
    parse_rate,
    parse_share,
    parse_size,
    parse_time,
)


@pytest.mark.parametrize(
    ("parse", "text", "value"),
    [
        (parse_rate, "5 Mbit/s", 5e6),
        (parse_rate, "5mbit", 5e6),
        (parse_rate, "1.4gbit ", 1.4e9),
        (parse_rate, "1.4 Gbit/s", 1.4e9),
        (parse_rate, "1e3 kbit/s", 1e6),
        (parse_rate, "1 MB/s", 8e6),
        (parse_time, "0.13 ms", 130e-6),
        (parse_time, "130us", 130e-6),
        (parse_time, "130 \N{MICRO SIGN}s", 130e-6),
        (parse_time, "20ms", 0.02),
        (parse_time, 0, 0.0),
        (parse_size, "64 KiB", 65536),
        (parse_size, "16 MB", 16_000_000),
        (parse_share, "1 %", 0.01),
        (parse_share, "0.1%", 0.001),
    ],
)
def test_what_people_write_is_read_exactly(parse: Callable[[object], float], text: object, value: float) -> None:
    assert parse(text) == value


@pytest.mark.parametrize(
    ("parse", "text"),
    [
        *[(parse_rate, t) for t in ("5 Mb/s", "5 mbps", "5 Mbps", "5", 5, "5 MB", "5 ms", "1,4 Gbit/s")],
        *[(parse_rate, t) for t in ("inf Mbit/s", "fast", "2*3 Mbit/s", "5 Mbit/s/s", "", None, True)],
        *[(parse_time, t) for t in ("5 m", "5", 5, "5 Ms", "5 Mbit/s", False)],
        *[(parse_size, t) for t in ("16 mb", "64 KB", "3 bit", "1.5 B", "16")],
        *[(parse_share, t) for t in (0.01, "0.01", "1", "5 ms")],
    ],
)  # fmt: skip
def test_the_ambiguous_is_refused_with_its_value_and_a_remedy(parse: Callable[[object], float], text: object) -> None:
    with pytest.raises(ValueError, match=r"(write|such as)") as caught:
        parse(text)
    assert str(caught.value).startswith(repr(text))


@given(st.integers(1, 10**11))
def test_a_formatted_rate_reads_back(rate: int) -> None:
    assert parse_rate(format_rate(rate)) == pytest.approx(rate, rel=1e-5)


@given(st.integers(1, 10**10))
def test_a_formatted_time_reads_back(time_ns: int) -> None:
    assert parse_time(format_time(time_ns * 1e-9)) == pytest.approx(time_ns * 1e-9, rel=1e-5)


def test_formats_as_people_write() -> None:
    assert format_rate(1.4e9) == "1.4 Gbit/s"
    assert (format_time(0.13e-3), format_time(32.5e-6), format_time(2)) == ("0.13 ms", "32.5 us", "2 s")
