from __future__ import annotations

import dataclasses
import os
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest

from testbed.cell import Cell
from testbed.errors import UserError
from testbed.labs.virtual.lab import VirtualLab
from testbed.lanes import lanes
from testbed.specification import load_plan

GB = 10**9  # what a worker takes in the scripted lab


@pytest.fixture
def cells(tmp_path: Path) -> list[Cell]:
    path = tmp_path / "trial.yaml"
    path.write_text("bandwidth: 5mbit\nlatency: 1ms\nalgorithm: allreduce\nworkers: [4, 8]\n")
    return list(load_plan(path, lambda: "virtual", lambda cell: cell).cells)


def test_one_lane_a_core_as_far_as_memory_holds_the_largest_cell(scripted: ModuleType, cells: list[Cell]) -> None:
    lab = scripted.ScriptedLab()
    assert lanes(None, cells, lab.create, 10**15) == len(os.sched_getaffinity(0))
    assert lanes(None, cells, lab.create, 16 * GB - 1) == 1
    assert lanes(3, cells, lab.create, 24 * GB) == 3


def test_memory_of_a_guest_grows_with_the_model_and_with_what_an_algorithm_keeps_of_it(cells: list[Cell]) -> None:
    lab, large = VirtualLab(), replace(cells[0], workload="vgg16")
    grown = {
        (name, codec): lab.lane_bytes(replace(large, algorithm=name, codec=codec))
        - lab.lane_bytes(replace(cells[0], algorithm=name, codec=codec))
        for name, codec in (
            ("allreduce", "fp32"),
            ("gtopk", "fp32"),
            ("allreduce", "qsgd"),
            ("dcd-psgd", "fp32"),
            ("no-such", "fp32"),
        )
    }
    vector = 4 * 4 * (14_728_266 - 269_722)  # float32, of 4 workers
    assert grown == {
        ("allreduce", "fp32"): 6 * vector,
        ("gtopk", "fp32"): 6 * vector,
        ("allreduce", "qsgd"): 10 * vector,
        ("dcd-psgd", "fp32"): 10 * vector,
        ("no-such", "fp32"): 10 * vector,
    }


def test_workers_that_compute_need_more_memory(scripted: ModuleType, cells: list[Cell]) -> None:
    live = [*cells, dataclasses.replace(cells[-1], gradients="live")]
    assert lanes(1, live, scripted.ScriptedLab().create, 16 * GB) == 1
    with pytest.raises(UserError, match=r"needs 16\.0 GB of memory"):
        lanes(1, live, scripted.ScriptedLab().create, 16 * GB - 1)


@pytest.mark.parametrize("asked", [0, 4])
def test_a_number_that_cannot_be_is_refused(scripted: ModuleType, cells: list[Cell], asked: int) -> None:
    with pytest.raises(UserError, match=f"--jobs {asked}"):
        lanes(asked, cells, scripted.ScriptedLab().create, 24 * GB)


@pytest.mark.parametrize("asked", [None, 1])
def test_more_workers_than_memory_allows_are_refused(
    scripted: ModuleType, cells: list[Cell], asked: int | None
) -> None:
    message = r"workers 8: a lane of them needs 8\.0 GB of memory, and 7\.0 GB are available"
    with pytest.raises(UserError, match=message):
        lanes(asked, cells, scripted.ScriptedLab().create, 7 * GB)
