"""Where a cell of a comparison stands, in words: setting, network, system."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import pandas as pd

from reports.comparison.matching import Matches, Row
from reports.quantities import bandwidth_text, latency_text
from reports.systems import systems
from reports.view import EXTRA_SETTING, SETTING, phrase, plain

_KEYS: Final = ("topology", "workers", "workload", "device", "compute_scale", "lab",
                *(key for key in EXTRA_SETTING if key not in SETTING), "seed")  # fmt: skip
_ALWAYS: Final = ("topology", "workers", "workload", "device", "lab")  # said even where all cells share them


@dataclass(frozen=True, kw_only=True)
class Place:
    """A cell by what tells it from the others. Rates in bit/s, round trips in seconds."""

    cell: str  # its id in A, or in the only run that has it
    setting: str  # empty where all cells share theirs
    bandwidth_bit_per_s: float
    latency_s: float
    system: str

    @property
    def network(self) -> str:
        """Bandwidth and latency."""
        return f"{bandwidth_text(self.bandwidth_bit_per_s)}, {latency_text(self.latency_s)}"

    @property
    def text(self) -> str:
        """All in one line."""
        return ", ".join(part for part in (self.setting, self.network, self.system) if part)


@dataclass(frozen=True, kw_only=True)
class Placed:
    """The places of all cells, in the order of their matches."""

    pairs: Sequence[Place]
    only_a: Sequence[Place]
    only_b: Sequence[Place]


def places(found: Matches) -> tuple[Placed, str]:
    """The places, and the setting that all cells share. A pair stands where A has it."""
    rows: list[Row] = [*(pair.a for pair in found.pairs), *found.only_a, *found.only_b]
    table = pd.DataFrame(rows)
    varied = [key for key in _KEYS if key in table and table[key].nunique(dropna=False) > 1]
    labels = [system.label for system in systems(table)]
    every = [_place(row, label, varied) for row, label in zip(rows, labels, strict=True)]
    first, second = len(found.pairs), len(found.pairs) + len(found.only_a)
    shared = [key for key in _ALWAYS if key not in varied]
    return Placed(pairs=every[:first], only_a=every[first:second], only_b=every[second:]), _setting(rows[0], shared)


def _place(row: Row, system: str, varied: Sequence[str]) -> Place:
    return Place(
        cell=str(row["cell"]),
        setting=_setting(row, varied),
        bandwidth_bit_per_s=plain(row["bandwidth_bit_per_s"]),
        latency_s=plain(row["latency_s"]),
        system=system,
    )


def _setting(row: Row, keys: Sequence[str]) -> str:
    return ", ".join(phrase(key, row[key]) for key in keys if not pd.isna(row[key]))
