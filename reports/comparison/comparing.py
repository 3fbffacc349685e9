"""The comparison of two runs: which cells became slower or faster, and which cannot be compared."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final

import pandas as pd

from reports.comparison import ratios
from reports.comparison.matching import Matches, Pair, Row, match
from reports.comparison.place import Place, places
from reports.comparison.ratios import Ratio
from reports.comparison.side import Side, differences
from reports.quantities import printable
from reports.view import PARTS
from testbed.errors import UserError

SIGNIFICANCE: Final = 0.05  # the share of false findings among the cells that are found to have changed
LEAST_CHANGE: Final = 0.005  # by which the measurement contract admits that one cell, measured twice, differs
_WORKLOAD: Final = ("dataset", "samples", "parameters", "profile_digest")  # that must be equal
_WORDS: Final = {"profile_digest": "profile of the device", "samples": "number of samples",
                 "parameters": "number of parameters"}  # fmt: skip


class Verdict(StrEnum):
    """What became of a cell from A to B, beyond noise."""

    SLOWER = "slower"
    FASTER = "faster"
    SAME = "no change"  # that the two runs could tell from noise


@dataclass(frozen=True, kw_only=True)
class Compared:
    """A cell that both runs measured; times are means of its epoch in seconds."""

    place: Place
    a_s: float
    b_s: float
    ratio: Ratio
    q: float  # its p-value, adjusted over all compared cells
    part: str  # of a step, that changed most
    wire: float  # bytes on the wire of a step, B over A; nan where the tables do not say

    @property
    def verdict(self) -> Verdict:
        """Slower or faster where chance is ruled out and the change is one that the measurement can tell."""
        if self.q > SIGNIFICANCE or abs(self.ratio.value - 1) <= LEAST_CHANGE:
            return Verdict.SAME
        return Verdict.SLOWER if self.ratio.value > 1 else Verdict.FASTER

    def exceeds(self, bound: float) -> bool:
        """Whether it is slower, and by more than the share `bound` with all of its interval."""
        return self.verdict is Verdict.SLOWER and self.ratio.low > 1 + bound


@dataclass(frozen=True, kw_only=True)
class Apart:
    """A cell of both runs that is never called faster or slower."""

    place: Place
    why: str
    lost: bool  # it has a valid result in A, and none in B


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Of all the cells of two runs. `cells` are in the order slower, faster, no change, the largest change first."""

    a: Side
    b: Side
    setting: str  # what all cells share
    cells: Sequence[Compared]
    apart: Sequence[Apart]  # those that were lost first
    unmeasured: int  # cells that neither run has measured yet
    only_a: Sequence[Place]
    only_b: Sequence[Place]
    warnings: Sequence[str]

    def of(self, verdict: Verdict) -> list[Compared]:
        """The cells with that verdict."""
        return [cell for cell in self.cells if cell.verdict is verdict]

    @property
    def lost(self) -> list[Apart]:
        """Cells with a valid result in A and none in B."""
        return [one for one in self.apart if one.lost]

    def exceeding(self, bound: float) -> list[Compared]:
        """The cells that are slower by more than the share `bound`, beyond noise."""
        return [cell for cell in self.cells if cell.exceeds(bound)]

    def fails(self, bound: float) -> bool:
        """Whether a check with that bound fails: a cell is slower by more, or was lost."""
        return bool(self.exceeding(bound) or self.lost)


def compare(a: Side, b: Side) -> Comparison:
    """Compare B with A. UserError where A has no result, B was not measured at all, or no cell is in both."""
    for side, letter in ((a, "A"), (b, "B")):
        _require_results(side, letter)
    found = match(a.table, b.table)
    if not found.pairs:
        raise UserError(
            f"{a.name} and {b.name} have no cell in common: give two runs of one sweep, or of sweeps that share cells"
        )
    placed, setting = places(found)
    kept = [(pair, place) for pair, place in zip(found.pairs, placed.pairs, strict=True) if not _why_apart(pair)]
    apart = [
        Apart(place=place, why=printable(why), lost=_is_good(pair.a) and not _is_good(pair.b))
        for pair, place in zip(found.pairs, placed.pairs, strict=True)
        if (why := _why_apart(pair)) and not _is_missing(pair)
    ]
    return Comparison(
        a=a,
        b=b,
        setting=setting,
        cells=_sorted(_adjusted([_compared(pair, place) for pair, place in kept])),
        apart=sorted(apart, key=lambda one: not one.lost),
        unmeasured=len(found.pairs) - len(kept) - len(apart),
        only_a=placed.only_a,
        only_b=placed.only_b,
        warnings=[*differences(a, b), *_unlike(found), *_unsettled([pair for pair, _ in kept])],
    )


def _require_results(side: Side, letter: str) -> None:
    statuses = set() if side.table.empty else set(side.table["status"])
    if (letter == "A" and "ok" not in statuses) or statuses <= {"missing"}:
        raise UserError(
            f"{side.name} has no result to compare: measure its sweep first, or give another run folder as RUN_{letter}"
        )


def _why_apart(pair: Pair) -> str:
    """Why a cell's times are not compared, in words; empty where they are."""
    reasons = [reason for row, side in ((pair.a, "A"), (pair.b, "B")) for reason in _trouble(row, side)]
    return "; ".join(reasons or _not_alike(pair))


def _trouble(row: Row, side: str) -> Iterator[str]:
    if row["status"] != "ok":
        yield f"{row['status']} in {side}" + (f": {row['reason']}" if row["reason"] else "")
    elif row["faithful"] != 1:
        yield f"unfaithful in {side}: the network's probe was off"
    elif len(_epochs_s(row)) < ratios.FEWEST_REPETITIONS:
        yield f"{len(_epochs_s(row))} repetitions in {side} give no confidence"


def _not_alike(pair: Pair) -> list[str]:
    """Not the same work: a change would be due to that."""
    return [
        f"{_WORDS.get(key, key)} differs: {pair.a[key]} in A, {pair.b[key]} in B"
        for key in _WORKLOAD
        if key in pair.a and key in pair.b and pair.a[key] != pair.b[key]
    ]


def _is_missing(pair: Pair) -> bool:
    return bool(pair.a["status"] == pair.b["status"] == "missing")


def _is_good(row: Row) -> bool:
    return bool(row["status"] == "ok" and row["faithful"] == 1)


def _compared(pair: Pair, place: Place) -> Compared:
    """One cell. Repetitions are pairs where both runs drew the same compute times and nothing else disturbs them."""
    a_s, b_s = _epochs_s(pair.a), _epochs_s(pair.b)
    in_pairs = pair.same and pair.a["lab"] == pair.b["lab"] == "virtual" and len(a_s) == len(b_s)
    ratio = ratios.paired(a_s, b_s) if in_pairs else ratios.welch(a_s, b_s)
    return Compared(
        place=place, a_s=_mean(a_s), b_s=_mean(b_s), ratio=ratio, q=ratio.p, part=_part(pair), wire=_wire(pair)
    )


def _adjusted(cells: Sequence[Compared]) -> list[Compared]:
    q_values = ratios.adjusted([cell.ratio.p for cell in cells])
    return [replace(cell, q=q) for cell, q in zip(cells, q_values, strict=True)]


def _sorted(cells: Sequence[Compared]) -> list[Compared]:
    order = list(Verdict)
    return sorted(cells, key=lambda cell: (order.index(cell.verdict), -abs(math.log(cell.ratio.value))))


def _epochs_s(row: Row) -> list[float]:
    found: list[float] = json.loads(row["epochs_s"] or "[]")
    return found


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


def _part(pair: Pair) -> str:
    """The part of a step whose seconds changed most; empty where the tables have no parts."""
    changes = {part: abs(_number(pair.b, f"{part}_s") - _number(pair.a, f"{part}_s")) for part in PARTS}
    known = {part: change for part, change in changes.items() if math.isfinite(change)}
    return max(known, key=lambda part: known[part]) if any(known.values()) else ""


def _wire(pair: Pair) -> float:
    a, b = (_number(row, "wire_bytes_per_step") for row in (pair.a, pair.b))
    return b / a if a > 0 else math.nan


def _number(row: Mapping[Any, Any], column: str) -> float:
    return float(row[column]) if column in row and not pd.isna(row[column]) else math.nan


def _unlike(found: Matches) -> Iterator[str]:
    """Of cells that are one only by their fields: in what else they differ."""
    pairs = [pair for pair in found.pairs if not pair.same]
    if not pairs:
        return
    keys = [key for key in ("lab", "containers", "seed", "capture") if any(p.a[key] != p.b[key] for p in pairs)]
    words = [
        f"{key} ({_values(p.a[key] for p in pairs)} in A, {_values(p.b[key] for p in pairs)} in B)" for key in keys
    ]
    yield printable(
        f"{len(pairs)} cells are compared although they differ in {' and '.join(words) or 'their steps'}; "
        "their repetitions are not in pairs"
    )


def _unsettled(pairs: Sequence[Pair]) -> Iterator[str]:
    """Of cells whose steps still grew shorter or longer when they were measured."""
    count = sum(row.get("settled") == 0 for pair in pairs for row in (pair.a, pair.b))
    if count:
        yield f"in {count} of {2 * len(pairs)} measurements step times had not settled after the warm-up"


def _values(values: Iterator[Any]) -> str:
    return ", ".join(dict.fromkeys(map(str, values)))
