"""Which cell of B is which of A: by identity, else by all fields but lab, containers, seed, steps and capture."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pandas as pd

from reports.view import EXTRA_SETTING, SETTING, plain
from testbed.errors import UserError

Row = Mapping[Any, Any]

_ELSEWHERE: Final = ("lab", "containers", "capture")  # how a cell is measured, not what it is
_FIELDS: Final = tuple(
    key
    for key in (*SETTING, *EXTRA_SETTING, "bandwidth_bit_per_s", "latency_s", "algorithm", "codec", "graph",
                "algorithm_options", "codec_options")
    if key not in _ELSEWHERE
)  # fmt: skip
_REQUIRED: Final = (*_FIELDS, *_ELSEWHERE, "cell", "seed", "status", "reason", "faithful", "epochs_s", "step_s")


@dataclass(frozen=True, kw_only=True)
class Pair:
    """A cell as each run has it. `same`: the two have one identity, seed and steps included."""

    a: Row
    b: Row
    same: bool


@dataclass(frozen=True, kw_only=True)
class Matches:
    """Every cell of two runs, in their order."""

    pairs: Sequence[Pair]
    only_a: Sequence[Row]
    only_b: Sequence[Row]


def match(a: pd.DataFrame, b: pd.DataFrame) -> Matches:
    """Pair the cells. Those without an equal are paired by their fields where these are of one cell in each run.

    UserError where a table lacks a column.
    """
    rows_a, rows_b = _by_identity(a), _by_identity(b)
    pairs = {cell: Pair(a=row, b=rows_b[cell], same=True) for cell, row in rows_a.items() if cell in rows_b}
    left_a = {cell: row for cell, row in rows_a.items() if cell not in pairs}
    left_b = {cell: row for cell, row in rows_b.items() if cell not in pairs}
    alone_b = _alone(left_b)
    for key, cell in _alone(left_a).items():
        if key in alone_b:
            pairs[cell] = Pair(a=left_a[cell], b=left_b.pop(alone_b[key]), same=False)
    return Matches(
        pairs=[pairs[cell] for cell in rows_a if cell in pairs],
        only_a=[row for cell, row in rows_a.items() if cell not in pairs],
        only_b=list(left_b.values()),
    )


def _by_identity(table: pd.DataFrame) -> dict[str, Row]:
    if table.empty:
        return {}
    if missing := [column for column in _REQUIRED if column not in table.columns]:
        raise UserError(
            f"table has no column {', '.join(missing)}: a comparison needs it; make the table from a run folder"
        )
    return {str(row["cell"]): row for row in table.to_dict("records")}


def _alone(rows: Mapping[str, Row]) -> dict[str, str]:
    """Cells by their fields, where no other cell has the same."""
    counts = Counter(map(_key, rows.values()))
    return {key: cell for cell, row in rows.items() if counts[key := _key(row)] == 1}


def _key(row: Row) -> str:
    """The fields as text; a whole number is the same as int and as float, and nothing the same as None and as nan."""
    return "\0".join(_text(row[key]) for key in _FIELDS)


def _text(value: Any) -> str:
    if isinstance(value, (int, float)):
        return "" if pd.isna(value) else str(plain(float(value)))
    return "" if value is None else str(value)
