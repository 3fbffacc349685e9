"""A cell's steps in time, with what its schedule did to the links: what a figure needs, in one column of the table."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from testbed.cell import Cell
from testbed.specification.wording import describe_change


def timeline(cell: Cell, document: Mapping[str, Any]) -> str:
    """JSON of a cell with a schedule, times in seconds since the first step of a repetition began; else empty.

    `repetitions`: each with `begins_s` (of the first step that is measured) and `step_s`. `changes`: each with its
    `text`, `at_s` as declared, and for each repetition `applied_s` and, of links that were down, `ended_s`; null where
    it was not reached.
    """
    if not cell.schedule:
        return ""
    repetitions = document["repetitions"]
    changes: list[dict[str, Any]] = [
        {"text": describe_change(change), "at_s": change.at_s, "applied_s": [], "ended_s": []}
        for change in cell.schedule
    ]
    for moment in (moment for repetition in repetitions for moment in repetition["changes"]):
        changes[moment["change"]]["ended_s" if moment["ends"] else "applied_s"].append(moment["applied_s"])
    steps = [{key: repetition[key] for key in ("begins_s", "step_s")} for repetition in repetitions]
    return json.dumps({"repetitions": steps, "changes": changes})


def missed(document: Mapping[str, Any]) -> int:
    """How many changes of a measurement's schedule came after some repetition had ended."""
    moments = [moment for repetition in document["repetitions"] for moment in repetition.get("changes", ())]
    return len({(moment["change"], moment["ends"]) for moment in moments if moment["applied_s"] is None})
