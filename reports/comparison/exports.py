"""A comparison's numbers: one row a cell, in SI units."""

from __future__ import annotations

from typing import Any

import pandas as pd

from reports.comparison.comparing import Apart, Compared, Comparison
from reports.comparison.place import Place

COLUMNS = (
    "cell", "setting", "bandwidth_bit_per_s", "latency_s", "system", "verdict", "epoch_a_s", "epoch_b_s", "ratio",
    "ratio_low", "ratio_high", "p", "p_adjusted", "paired", "part", "wire_ratio", "reason",
)  # fmt: skip


def frame(comparison: Comparison) -> pd.DataFrame:
    """Every cell: those compared, those set apart (`not compared` or `lost`), and those in one run only.

    `ratio` is B's epoch over A's, `ratio_low` and `ratio_high` the ends of its 95 % interval.
    """
    rows = [_compared(cell) for cell in comparison.cells] + [_apart(one) for one in comparison.apart]
    rows += [_place(place) | {"verdict": "only in A"} for place in comparison.only_a]
    rows += [_place(place) | {"verdict": "only in B"} for place in comparison.only_b]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def csv_text(comparison: Comparison) -> str:
    """The same as CSV."""
    text: str = frame(comparison).to_csv(index=False)
    return text


def _compared(cell: Compared) -> dict[str, Any]:
    ratio = cell.ratio
    return _place(cell.place) | {
        "verdict": str(cell.verdict),
        "epoch_a_s": cell.a_s,
        "epoch_b_s": cell.b_s,
        "ratio": ratio.value,
        "ratio_low": ratio.low,
        "ratio_high": ratio.high,
        "p": ratio.p,
        "p_adjusted": cell.q,
        "paired": ratio.paired,
        "part": cell.part,
        "wire_ratio": cell.wire,
        "reason": "",
    }


def _apart(one: Apart) -> dict[str, Any]:
    return _place(one.place) | {"verdict": "lost" if one.lost else "not compared", "reason": one.why}


def _place(place: Place) -> dict[str, Any]:
    return {
        "cell": place.cell,
        "setting": place.setting,
        "bandwidth_bit_per_s": place.bandwidth_bit_per_s,
        "latency_s": place.latency_s,
        "system": place.system,
    }
