import pytest

from reports.quantities import (
    TIMES,
    bandwidth_text,
    bytes_text,
    change_text,
    latency_text,
    printable,
    ratio_text,
    seconds_text,
    slug,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (bandwidth_text(5e6), "5 Mbit/s"),
        (bandwidth_text(1.4e9), "1.4 Gbit/s"),
        (bandwidth_text(64e3), "64 kbit/s"),
        (bytes_text(1_079_000), "1.08 MB"),
        (bytes_text(12.0), "12 bytes"),
        (bytes_text(float("nan")), ""),
        (latency_text(0.13e-3), "0.13 ms"),
        (latency_text(20e-3), "20 ms"),
        (latency_text(65e-6), "65 us"),
        (latency_text(0.0), "0 ms"),
        (seconds_text(0.25), "0.25 s"),
        (seconds_text(1234.5), "1,234 s"),
        (ratio_text(0.849), "0.85\N{MULTIPLICATION SIGN}"),
        (ratio_text(3.44), "3.4\N{MULTIPLICATION SIGN}"),
        (ratio_text(12.3), "12\N{MULTIPLICATION SIGN}"),
        (slug("../../etc/passwd"), "etc-passwd"),
        (slug("8 workers, compute \N{MULTIPLICATION SIGN}0.5"), "8-workers-compute-0.5"),
        (slug("\u7db2"), "unnamed"),
        (printable("a\x00b\nc"), "ab c"),
    ],
)
def test_quantities_are_written_for_people(text, expected):
    assert text == expected


@pytest.mark.parametrize(
    ("ratio", "text"),
    [
        (1.0, "+0.0 %"),
        (1.123, "+12.3 %"),
        (0.96, "-4.0 %"),
        (2.999, "+199.9 %"),
        (3.0, f"3.0{TIMES}"),
        (12.3, f"12{TIMES}"),
    ],
)
def test_changes(ratio: float, text: str) -> None:
    assert change_text(ratio) == text
