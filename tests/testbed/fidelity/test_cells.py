"""The programme is what the documentation says that it is."""

from __future__ import annotations

from testbed.fidelity import cells, rows


def test_the_grid_has_every_combination_once_and_the_model_knows_it():
    grid = cells.full("virtual").grid
    assert len({cell.id for cell in grid}) == len(grid) == 2 * (3 * 4 * 3 + 2)
    assert all(rows.expected(cell).total > 0 for cell in grid)


def test_six_cells_in_three_orders_and_each_alone():
    orders = cells.full("virtual").orders
    whole, alone = orders[:3], orders[3:]
    names = {cell.id for cell in whole[0]}
    assert len(names) == 6
    assert all({cell.id for cell in order} == names for order in whole)
    assert len({tuple(cell.id for cell in order) for order in whole}) == 3
    assert {cell.id for (cell,) in alone} == names


def test_no_minimum_of_the_measurement_is_cut():
    for cell in cells.full("virtual").grid:
        assert cell.steps.warmup_min >= 3
        assert cell.steps.measured >= 10
