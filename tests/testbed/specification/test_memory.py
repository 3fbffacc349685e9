from __future__ import annotations

from pathlib import Path

import pytest

from testbed.cell import Cell
from testbed.errors import UserError
from testbed.specification import load_plan
from testbed.specification.memory import lanes_that_fit


@pytest.fixture
def cells(tmp_path: Path) -> list[Cell]:
    path = tmp_path / "trial.yaml"
    path.write_text("bandwidth: 5mbit\nlatency: 1ms\nalgorithm: allreduce\nworkers: [4, 8]\n")
    return list(load_plan(path, lambda: "virtual", lambda cell: cell).cells)


def test_as_many_lanes_of_the_largest_cell_as_memory_holds(cells: list[Cell]) -> None:
    needed = 8 * 350_000_000 + 250_000_000
    assert lanes_that_fit(cells, needed) == 1
    assert lanes_that_fit(cells, 3 * needed - 1) == 2


def test_more_workers_than_memory_allows_are_refused_with_what_would_fit(cells: list[Cell]) -> None:
    with pytest.raises(UserError, match=r"workers 8: .* use at most 4 workers"):
        lanes_that_fit(cells, 250_000_000 + 4 * 350_000_000)
