from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

from testbed.cell import Cell, Network

CELL = Cell(
    lab="virtual",
    network=Network(topology="star", workers=4, bandwidth_bit_per_s=5e6, latency_s=1e-3, queue_bytes=1_000_000),
    algorithm="allreduce",
    codec="fp32",
    graph="ring",
    workload="resnet20",
    batch_size=128,
    device="k80",
)


def test_a_cell_of_an_older_run_keeps_its_id() -> None:
    assert CELL.id == "491dc1e56d64e6a0"
    old = {key: value for key, value in CELL.to_json().items() if key != "capture"}
    assert Cell.from_json(old) == CELL


@pytest.mark.parametrize("change", [{"capture": True}, {"seed": 2}])
def test_other_cells_have_other_ids_and_come_back_whole(change: dict[str, Any]) -> None:
    other = dataclasses.replace(CELL, **change)
    assert other.id != CELL.id
    assert Cell.from_json(json.loads(json.dumps(other.to_json()))) == other
