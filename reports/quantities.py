"""How a quantity is written for people: one wording for ticks, titles, tables and pages."""

from __future__ import annotations

import math
import re

TIMES = "\N{MULTIPLICATION SIGN}"


def bandwidth_text(bit_per_s: float) -> str:
    """A rate, as `5 Mbit/s` or `1.4 Gbit/s`."""
    for scale, unit in ((1e9, "Gbit/s"), (1e6, "Mbit/s"), (1e3, "kbit/s")):
        if bit_per_s >= scale:
            return f"{bit_per_s / scale:.4g} {unit}"
    return f"{bit_per_s:.4g} bit/s"


def latency_text(seconds: float) -> str:
    """A round trip, as `0.13 ms`, `20 ms` or `65 us`."""
    if seconds >= 1:
        return f"{seconds:.4g} s"
    if seconds >= 1e-4 or seconds == 0:
        return f"{seconds * 1e3:.4g} ms"
    return f"{seconds * 1e6:.4g} us"


def seconds_text(seconds: float) -> str:
    """A duration to three digits, as `0.25 s`, `7.37 s` or `1,000 s`."""
    if seconds >= 100:
        return f"{seconds:,.0f} s"
    return f"{seconds:.3g} s"


def bytes_text(count: float) -> str:
    """A number of bytes, as `1.08 MB`; empty where it is not known."""
    if math.isnan(count):
        return ""
    for scale, unit in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if count >= scale:
            return f"{count / scale:.3g} {unit}"
    return f"{count:.0f} bytes"


def ratio_text(ratio: float) -> str:
    """A factor to two digits, with a multiplication sign: 0.85, 1.2 or 12 times."""
    digits = ".0f" if ratio >= 9.95 else ".1f" if ratio >= 0.995 else ".2g"
    return f"{ratio:{digits}}{TIMES}"


def printable(text: object) -> str:
    """The text on one line without control characters, which neither SVG nor a footer can carry."""
    return "".join(c for c in " ".join(str(text).split()) if c.isprintable())


def slug(text: str) -> str:
    """The text as a part of a file name: lower case, digits, dots, hyphens; never empty or a path."""
    return re.sub(r"[^a-z0-9.]+", "-", text.lower()).strip("-.") or "unnamed"


def change_text(ratio: float) -> str:
    """What a ratio changes, as `+12.3 %`, `-4.0 %`, or from threefold on as a ratio."""
    return ratio_text(ratio) if ratio >= 3 else f"{(ratio - 1) * 100:+.1f} %"
