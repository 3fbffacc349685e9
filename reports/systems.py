"""What is compared: systems, named by algorithm, codec and the options in which they differ."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from reports.looks import Look, look
from reports.quantities import printable

STANDARD_BITS = 8  # per component; other widths are variants in looks


@dataclass(frozen=True, order=True)
class System:
    """An algorithm with its codec, its bits per component, and what else tells it apart."""

    algorithm: str
    codec: str
    bits: int = 0  # 0: the codec has no such option, or the table does not say
    variant: str = ""

    @property
    def label(self) -> str:
        """Its name in every figure and page."""
        bits = f"{self.bits} bit" if self.bits else ""
        return printable(" ".join(part for part in (self.algorithm, self.codec, bits, self.variant) if part))

    @property
    def look(self) -> Look:
        """Its colour, marker and line in every figure."""
        bits = {} if self.bits in (0, STANDARD_BITS) else {"bits": str(self.bits)}
        return look(self.algorithm, self.codec, bits | dict(_pair(word) for word in self.variant.split()))


def systems(table: pd.DataFrame) -> list[System]:
    """The system of each row. Options and graph are named only where an algorithm and codec has several."""
    pairs = list(zip(table["algorithm"].astype(str), table["codec"].astype(str), strict=True))
    choices = [_choices(row) for row in table.to_dict("records")]
    values: dict[tuple[tuple[str, str], str], set[str]] = defaultdict(set)
    keys: dict[tuple[str, str], set[str]] = defaultdict(set)
    for pair, choice in zip(pairs, choices, strict=True):
        keys[pair] |= choice.keys()
    for pair, choice in zip(pairs, choices, strict=True):
        for key in keys[pair]:
            values[pair, key].add(choice.get(key, ""))
    return [
        System(*pair, _bits(choice), _variant(choice, {k for k in keys[pair] if len(values[pair, k]) > 1}))
        for pair, choice in zip(pairs, choices, strict=True)
    ]


def names(shown: Sequence[System]) -> dict[System, str]:
    """For the legend of a figure with these systems: labels without the options that all of its variants share.

    Such options tell them from a system that is in another figure of the same run.
    """
    variants = [set(system.variant.split()) for system in shown if system.variant]
    common = set.intersection(*variants) if len(variants) > 1 else set()
    return {
        system: replace(system, variant=" ".join(word for word in system.variant.split() if word not in common)).label
        for system in shown
    }


def _pair(word: str) -> tuple[str, str]:
    key, _, value = word.partition("=")
    return key, value


def _choices(row: Mapping[Any, Any]) -> dict[str, str]:
    """What a row's algorithm, codec and graph were told, as text by key; nothing of options that were not given."""
    told = {**_options(row.get("algorithm_options")), **_flat(_options(row.get("codec_options")))}
    graph = row.get("graph")
    given = {key: str(value) for key, value in told.items() if value is not None}
    return given | {"graph": graph if isinstance(graph, str) else ""}


def _options(value: Any) -> Mapping[str, Any]:
    """A mapping, or one written as JSON; nothing where a table has neither."""
    if isinstance(value, str) and value.startswith("{"):
        value = json.loads(value)
    return value if isinstance(value, Mapping) else {}


def _flat(told: Mapping[str, Any]) -> Mapping[str, Any]:
    """With the options of a codec within the codec beside its own; what codes the rest keeps only its name."""
    inner = told.get("codec")
    if not isinstance(inner, Mapping):
        return told
    names = {key: value["name"] if isinstance(value, Mapping) else value for key, value in told.items()}
    return names | {key: value for key, value in inner.items() if key != "name"}


def _bits(choice: Mapping[str, str]) -> int:
    return int(choice["bits"]) if choice.get("bits", "").isdigit() else 0


def _variant(choice: Mapping[str, str], differing: set[str]) -> str:
    shown = [(key, choice.get(key, "")) for key in sorted(differing - {"bits"})]
    return " ".join(f"{key}={value}" for key, value in shown if value)
