"""How each system looks in every figure. Colours are Okabe and Ito's colour-blind safe set.

A system has a colour, a marker and dashes. Where one stands in a figure with several values of an option, each value
that the papers compare has a place (VALUES), and with it a shade of the system's colour and dashes; the marker stays,
unless the system differs in other options too.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass

BLACK, ORANGE, SKY, GREEN = "#000000", "#e69f00", "#56b4e9", "#009e73"
BLUE, VERMILION, PURPLE, GREY = "#0072b2", "#d55e00", "#cc79a7", "#7f7f7f"

Dash = tuple[float, ...]
SOLID: Dash = ()
DASHED: Dash = (5, 2)
DOTTED: Dash = (1.2, 1.6)


@dataclass(frozen=True)
class Look:
    """Colour, marker and dashes differ together, so that a figure also reads without colour."""

    colour: str
    marker: str
    dash: Dash = SOLID


# Fixed, so that a reader learns a system once. Other names get a stable look from their spelling.
LOOKS: dict[tuple[str, str], Look] = {
    ("allreduce", "fp32"): Look(BLACK, "o"),
    ("allreduce", "qsgd"): Look(ORANGE, "s"),
    ("allreduce", "by-layer"): Look(SKY, "^", DASHED),
    ("d-psgd", "fp32"): Look(BLUE, "^"),
    ("dcd-psgd", "qsgd"): Look(VERMILION, "v"),
    ("ecd-psgd", "qsgd"): Look(GREEN, "D", DASHED),
    ("qsgd", "qsgd"): Look(ORANGE, "s", DASHED),
    ("pqasgd", "qsgd"): Look(PURPLE, "P"),
    ("psgd", "fp32"): Look(SKY, "<"),
    ("rsgd", "fp32"): Look(VERMILION, ">", DASHED),
    ("terngrad", "terngrad"): Look(BLUE, "X", DASHED),
    ("allreduce", "terngrad"): Look(BLUE, "X", DOTTED),
    ("onebit", "onebit"): Look(GREY, "*"),
    ("topk", "fp32"): Look(BLUE, "h", DOTTED),
    ("gtopk", "fp32"): Look(GREEN, "p"),
    ("randomk", "fp32"): Look(VERMILION, "d", DOTTED),
    ("choco-sgd", "topk"): Look(PURPLE, "d", DASHED),
    ("deepsqueeze", "qsgd"): Look(GREY, "h", DASHED),
    ("naive", "qsgd"): Look(GREY, "x", DOTTED),
    ("error-feedback", "sign"): Look(SKY, "H", DASHED),
    ("parameter-server", "fp32"): Look(GREEN, "8", DOTTED),
    ("allreduce", "fp16"): Look(BLACK, "8", DASHED),
    ("allreduce", "bf16"): Look(BLACK, "H", DOTTED),
    ("dcd-psgd", "grid"): Look(PURPLE, "v", DOTTED),
    ("ecd-psgd", "grid"): Look(SKY, "D", DOTTED),
}
PLACES = 4
VALUES: dict[str, tuple[str, ...]] = {  # of options, by place; of several the first decides
    "bits": ("8", "4", "2", "16"),
    "q": ("1.0", "0.125", "0.03125", "0.25"),
    "bucket": ("256", "1024", "4096", "512"),
    "density": ("0.1", "0.01", "0.001", "0.0001"),
    "period": ("2", "4", "8", "16"),
}
_DARKENED = (0.0, 0.3, 0.5, 0.7)  # by place; black, which cannot be, is lightened
_DASHES: tuple[Dash, ...] = (SOLID, (6, 1.5, 1.2, 1.5), (2.5, 1), (0.8, 0.8))
_FALLBACK = [
    Look(colour, marker, dash)
    for dash in (DASHED, DOTTED)
    for marker in ("s", "d", "p", "h")
    for colour in (PURPLE, SKY, ORANGE, GREY, VERMILION, BLUE, GREEN)
]
PARTS: dict[str, str] = {  # of a step, light to dark in the order in which they happen; no system has these
    "compute": "#d9d9d9",
    "encode": "#fdd0a2",
    "communicate": "#6baed6",
    "decode": "#a1d99b",
    "apply": "#9e9ac8",
}


def look(algorithm: str, codec: str, options: Mapping[str, str] | None = None) -> Look:
    """The look of a system, with the values of the `options` in which it differs from others, if any."""
    options = options or {}
    known = LOOKS.get((algorithm, codec))
    if known is None or not options:
        return known or _fallback(algorithm, codec, options)
    key = next((key for key, values in VALUES.items() if options.get(key) in values), None)
    others = _fallback(algorithm, codec, {name: value for name, value in options.items() if name != key})
    if key is None:
        return Look(known.colour, others.marker, others.dash)
    place = VALUES[key].index(options[key])
    return Look(shade(known.colour, place), known.marker if len(options) == 1 else others.marker, _DASHES[place])


def shade(colour: str, place: int) -> str:
    """A colour `#rrggbb`, the darker the higher the place: told from its others by lightness, whoever looks."""
    share, end = _DARKENED[place], 255 if colour == BLACK else 0
    parts = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return "#" + "".join(f"{round(part + (end - part) * share):02x}" for part in parts)


def luminance(colour: str) -> float:
    """How light a colour `#rrggbb` is, from 0 (black) to 1 (white): the relative luminance of WCAG 2."""
    channels = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _fallback(algorithm: str, codec: str, options: Mapping[str, str]) -> Look:
    """By spelling, the same in every process."""
    variant = " ".join(f"{key}={value}" for key, value in sorted(options.items()))
    return _FALLBACK[zlib.crc32(f"{algorithm}\0{codec}\0{variant}".encode()) % len(_FALLBACK)]
