from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from testbed.cell import Cell
from testbed.results.limits import limit
from testbed.results.table import row
from testbed.specification import load_plan


@pytest.fixture
def cell(sweep_file: Path) -> Cell:
    return load_plan(sweep_file, lambda: "host", lambda cell: cell, lab="host").cells[0]


def document(scripted: ModuleType, cell: Cell, **more: Any) -> dict[str, Any]:
    return {"status": "ok", "reason": "", **scripted.measurement(cell), **more}


def test_a_network_that_the_machine_does_not_carry_has_no_numbers(cell: Cell, scripted: ModuleType) -> None:
    measured = document(scripted, cell)
    measured["probe"]["saturated"] = True
    found = row(cell, measured)
    assert found["status"] == "saturated" and "virtual lab" in found["reason"]
    assert math.isnan(found["step_s"]) and math.isnan(found["epoch_s"])


def test_workers_that_wait_for_processors_show_the_machine(cell: Cell, scripted: ModuleType) -> None:
    mean_s = 2.0  # of the script's steps
    assert limit(cell, document(scripted, cell, processor_wait_s=0.04 * mean_s)) is None
    status, reason = limit(cell, document(scripted, cell, processor_wait_s=0.2 * mean_s)) or ("", "")
    assert status == "saturated" and "waited 20% of its time" in reason
    assert row(cell, document(scripted, cell, processor_wait_s=0.2 * mean_s))["status"] == "saturated"


def test_in_virtual_time_nobody_waits(cell: Cell, scripted: ModuleType) -> None:
    virtual = dataclasses.replace(cell, lab="virtual")
    assert limit(virtual, document(scripted, virtual, processor_wait_s=1.0)) is None
