"""The programme is what the documentation says that it is."""

from __future__ import annotations

import pytest

from testbed.fidelity import cells, rows

ALL = cells.programmes("both", quick=False)
VIRTUAL = cells.programmes("virtual", quick=False)["virtual"]


def test_the_grid_has_every_combination_once_and_the_model_knows_it():
    grid = VIRTUAL.grid
    assert len({cell.id for cell in grid}) == len(grid) == 2 * (3 * 4 * 3 + 2)
    assert all(rows.expected(cell).total > 0 for cell in grid)


def test_six_cells_in_three_orders_and_each_alone():
    orders = VIRTUAL.orders
    whole, alone = orders[:3], orders[3:]
    names = {cell.id for cell in whole[0]}
    assert len(names) == 6
    assert all({cell.id for cell in order} == names for order in whole)
    assert len({tuple(cell.id for cell in order) for order in whole}) == 3
    assert {cell.id for (cell,) in alone} == names


def test_no_minimum_of_the_measurement_is_cut():
    for cell in [*ALL["virtual"].all_cells, *ALL["host"].all_cells]:
        assert cell.steps.warmup_min >= 3
        assert cell.steps.measured >= 10


@pytest.mark.parametrize("quick", [True, False])
def test_every_network_of_the_host_lab_is_measured_in_the_virtual_one_beside_it(quick):
    for which in ("host", "both"):
        programmes = cells.programmes(which, quick)
        networks = {name: {cell.network for cell in programme.grid} for name, programme in programmes.items()}
        assert networks["host"] and networks["host"] <= networks["virtual"]
        assert {cell.lab for cell in programmes["host"].all_cells} == {"host"}


def test_the_host_lab_is_held_against_ten_megabytes_among_eight():
    (large,) = [cell for cell in ALL["host"].grid if cell.workload == "vector-2500000"]
    assert (large.network.workers, large.network.bandwidth_bit_per_s, large.network.latency_s) == (8, 100e6, 4e-3)
    assert rows.allowed(large) == 0.015
    # 14 phases of 1.25 MB and half a round trip, on one port.
    assert 14 * (10e6 / 8 * 8 / 100e6 + 2e-3) < rows.expected(large).total < 1.1 * 14 * (0.1 + 2e-3)
