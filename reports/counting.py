"""How many cells a run has, or trials a training, and in what state: one sentence for every page."""

from __future__ import annotations

import pandas as pd

# What a cell without numbers is called, by its status; the rest were measured.
WITHOUT_NUMBERS = {
    "failed": "failed",
    "saturated": "saturated",
    "overrun": "overrun",
    "missing": "not measured yet",
}


def summary(table: pd.DataFrame) -> str:
    """How many cells there are, and in what state."""
    if table.empty:
        return "The run has no cells yet: there is nothing to draw."
    measured = table[table["status"] == "ok"]
    unfaithful = sum(value != 1 for value in measured["faithful"])
    unsettled = sum(value == 0 for value in measured["settled"]) if "settled" in measured else 0
    counts = f"{len(table)} cells: {len(measured)} measured, of which {unfaithful} unfaithful and {unsettled} unsettled"
    statuses = table["status"].value_counts()
    others = [
        f"{statuses.get(status, 0)} {word}"
        for status, word in WITHOUT_NUMBERS.items()
        if status in ("failed", "missing") or statuses.get(status, 0)
    ]
    return f"{counts}; {', '.join(others)}{'; there is nothing to draw' if measured.empty else ''}."


def trials(table: pd.DataFrame) -> str:
    """How many trials there are, and in what state."""
    if table.empty:
        return "The training has no trials yet: there is nothing to draw."
    counts = table.groupby("trial")["status"].last().value_counts()
    states = ("ok", "diverged", "failed", "running", "missing")
    return f"{counts.sum()} trials: " + ", ".join(f"{counts[s]} {s}" for s in states if s in counts) + "."
