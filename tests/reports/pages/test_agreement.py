from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

import reports
from reports.claims import Verdict
from reports.pages import agreement
from tests.reports.conftest import make_table


def both(factor: Callable[[pd.DataFrame], pd.Series | float]) -> pd.DataFrame:
    """A run of both labs, in which the host lab communicates that much longer."""
    virtual = make_table(bandwidths=(20e6, 100e6), latencies=(1e-3, 20e-3), topologies=("star", "ring"))
    host = virtual.assign(lab="host", communicate_s=virtual["communicate_s"] * factor(virtual))
    return pd.concat([virtual, host], ignore_index=True)


def test_every_cell_of_both_labs_is_judged() -> None:
    table = both(lambda virtual: 1.049)
    found = list(agreement.pairs(table))
    assert len(found) == len(table) / 2
    assert {pair.verdict for pair in found} == {Verdict.AGREE}
    assert found[0].ratio == pytest.approx(1.049)


def test_what_is_farther_than_five_percent_disagrees() -> None:
    table = both(lambda virtual: (virtual["algorithm"] == "d-psgd").map({True: 0.94, False: 1.0}))
    content = agreement.build(table)
    assert content is not None
    assert "agree within 5%, 8 do not, 0 were not tested" in content.summary
    assert "0.940" in content.summary
    (grid,) = content.grids
    assert {row[3] for row in grid.rows if row[7] == "disagree"} == {"d-psgd fp32"}
    assert all(len(row) == len(grid.header) for row in grid.rows)


def test_saturated_cells_are_listed_and_not_judged() -> None:
    table = both(lambda virtual: 1.0)
    host = table["lab"] == "host"
    table.loc[host, ["status", "reason", "epoch_s"]] = ["saturated", "too many links", float("nan")]
    content = agreement.build(table)
    assert content is not None and not content.drawings
    assert all(row[7:] == ["not tested", "host lab: too many links"] for row in content.grids[0].rows)


def test_a_run_in_one_lab_has_no_such_page(tmp_path: Path) -> None:
    assert agreement.build(make_table(bandwidths=(20e6,))) is None
    written = reports.write(both(lambda virtual: 1.0), {"name": "agreement"}, tmp_path)
    assert {"agreement.html", "agreement.png"} <= {path.name for path in written}
