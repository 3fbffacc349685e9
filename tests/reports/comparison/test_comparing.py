from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest

from reports.comparison import Side, Verdict, compare
from testbed.errors import UserError

Make = Callable[..., Side]
WOBBLE = (0.9901, 1.0099, 1.0202)  # another measurement of the same noise


def put(column: str, value: Any, number: int | None = None) -> Callable[[pd.DataFrame], None]:
    """A change of a table: a column's value in one cell, or in all."""

    def change(table: pd.DataFrame) -> None:
        table[column] = table[column].astype(object)
        table.loc[slice(None) if number is None else number, column] = value

    return change


def test_changes_are_found_and_the_largest_comes_first(side: Make) -> None:
    found = compare(side(), side("runs/b", {0: 1.1, 1: 1.5, 4: 0.8}, noise=WOBBLE))
    assert [cell.verdict for cell in found.cells] == [
        Verdict.SLOWER, Verdict.SLOWER, Verdict.FASTER, Verdict.SAME, Verdict.SAME, Verdict.SAME,
    ]  # fmt: skip
    assert [cell.place.cell[-1] for cell in found.cells[:3]] == ["1", "0", "4"]
    assert found.cells[0].ratio.value == pytest.approx(1.5, rel=1e-3)
    assert found.cells[0].b_s / found.cells[0].a_s == pytest.approx(1.5, rel=1e-3)
    assert all(cell.ratio.paired for cell in found.cells)
    assert found.setting == "star, 8 workers, workload resnet20, device k80, virtual lab"
    assert found.cells[0].place.text == "100 Mbit/s, 20 ms, allreduce fp32"


def test_a_change_within_what_one_cell_may_differ_is_none(side: Make) -> None:
    found = compare(side(), side("runs/b", {0: 1.004, 1: 1.006}))  # in every repetition the same: p is 0
    assert [cell.place.cell[-1] for cell in found.of(Verdict.SLOWER)] == ["1"]
    assert not found.of(Verdict.FASTER)


def test_noise_alone_changes_nothing(side: Make) -> None:
    found = compare(side(), side("runs/b", noise=(1.06, 0.93, 1.02)))
    assert {cell.verdict for cell in found.cells} == {Verdict.SAME}


def test_in_real_time_repetitions_are_no_pairs(side: Make) -> None:
    def on_host(table: pd.DataFrame) -> None:
        table["lab"] = "host"

    found = compare(side(change=on_host), side("runs/b", {0: 1.01}, change=on_host))
    assert not any(cell.ratio.paired for cell in found.cells)
    assert {cell.verdict for cell in found.cells} == {Verdict.SAME}  # one percent is less than this noise


def test_the_check_needs_the_whole_interval_above_its_bound(side: Make) -> None:
    b = side("runs/b", {0: 1.10}, noise=(0.99, 1.02, 1.02))  # +10 %, +11 %, +10 %: an interval from some 8 % on
    found = compare(side(), b)
    low = found.cells[0].ratio.low
    assert 1.06 < low < 1.10
    assert [cell.place.cell[-1] for cell in found.exceeding(low - 1.001)] == ["0"]
    assert found.fails(low - 1.001)
    assert not found.exceeding(low - 0.999) and not found.fails(low - 0.999)


@pytest.mark.parametrize(
    ("column", "value", "why", "lost"),
    [
        ("status", "failed", "failed in B: a worker raised", True),
        ("status", "saturated", "saturated in B: a worker raised", True),
        ("status", "missing", "missing in B: a worker raised", True),
        ("faithful", False, "unfaithful in B: the network's probe was off", True),
        ("epochs_s", "[1.0, 1.1]", "2 repetitions in B give no confidence", False),
        ("profile_digest", "def", "profile of the device differs: abc in A, def in B", False),
        ("dataset", "cifar-10", "dataset differs: fashion-mnist in A, cifar-10 in B", False),
    ],
)
def test_cells_that_cannot_be_compared_are_never_called_faster(
    side: Make, column: str, value: object, why: str, lost: bool
) -> None:
    def change(table: pd.DataFrame) -> None:
        put(column, value, 0)(table)
        put("reason", "a worker raised", 0)(table)

    found = compare(side(), side("runs/b", {0: 0.5}, change=change))
    assert [(one.place.cell[-1], one.why, one.lost) for one in found.apart] == [("0", why, lost)]
    assert len(found.cells) == 5 and not found.of(Verdict.FASTER)
    assert found.fails(0.05) == lost


def test_what_never_had_a_result_is_not_lost(side: Make) -> None:
    failed = put("status", "failed", 0)
    found = compare(side(change=failed), side("runs/b", change=failed))
    assert len(found.apart) == 1 and not found.lost and not found.fails(0.05)


def test_cells_missing_in_both_are_counted(side: Make) -> None:
    missing = put("status", "missing", 0)
    found = compare(side(change=missing), side("runs/b", change=missing))
    assert found.unmeasured == 1 and not found.apart


def test_cells_are_matched_by_their_fields_where_their_steps_or_seeds_differ(side: Make) -> None:
    def reseeded(table: pd.DataFrame) -> None:
        table["cell"] = [f"b{cell[1:]}" for cell in table["cell"]]
        table["seed"] = 2

    found = compare(side(), side("runs/b", {0: 1.5}, change=reseeded))
    assert len(found.cells) == 6 and not any(cell.ratio.paired for cell in found.cells)
    assert found.warnings == [
        "6 cells are compared although they differ in seed (1 in A, 2 in B); their repetitions are not in pairs"
    ]
    assert [cell.place.cell[-1] for cell in found.of(Verdict.SLOWER)] == ["0"]


def test_cells_of_one_run_only_are_named(side: Make) -> None:
    def other(table: pd.DataFrame) -> None:
        table.loc[0, ["cell", "bandwidth_bit_per_s"]] = ["b" * 16, 2e9]

    found = compare(side(), side("runs/b", change=other))
    assert [place.text for place in found.only_a] == ["5 Mbit/s, 20 ms, allreduce fp32"]
    assert [place.text for place in found.only_b] == ["2 Gbit/s, 20 ms, allreduce fp32"]
    assert not found.fails(0.0)


def test_the_part_that_changed_most_is_named(side: Make) -> None:
    def slow_encode(table: pd.DataFrame) -> None:
        table.loc[3, "encode_s"] += 0.5

    found = compare(side(), side("runs/b", {3: 2.0}, change=slow_encode))
    assert found.cells[0].part == "encode"


def test_another_kernel_or_library_is_warned_of(side: Make) -> None:
    session = {"versions": {"mpich": "5.1"}, "labs": {"virtual": {"kernel": "7.3.4", "kernel_build": "bb", "mpi": "M"}}}
    found = compare(side(), side("runs/b", provenance={"sessions": [session]}))
    assert [warning.split(" differs")[0] for warning in found.warnings] == [
        "version of mpich", "kernel of lab virtual", "MPI of lab virtual",
    ]  # fmt: skip


def test_what_neither_run_recorded_is_no_difference(side: Make) -> None:
    silent: dict[str, Any] = {"sessions": [{"labs": {}}]}
    told = {"sessions": [{"labs": {"host": {"mpi": ""}}}]}
    assert compare(side(provenance=silent), side("runs/b", provenance=told)).warnings == []


def test_cells_that_had_not_settled_are_warned_of(side: Make) -> None:
    found = compare(side(change=settled), side("runs/b", change=settled_but_one))
    assert found.warnings == ["in 1 of 12 measurements step times had not settled after the warm-up"]


def settled(table: pd.DataFrame) -> None:
    table["settled"] = True


def settled_but_one(table: pd.DataFrame) -> None:
    table["settled"] = [False] + [True] * (len(table) - 1)


def test_a_provenance_of_any_shape_is_no_obstacle(side: Make) -> None:
    odd = {"sessions": [{"labs": ["virtual"], "versions": "none"}], "name": "<b>"}
    assert compare(side(provenance=odd), side("runs/b", provenance={})).cells


def test_what_cannot_be_compared_at_all_is_refused(side: Make) -> None:
    def elsewhere(table: pd.DataFrame) -> None:
        table["cell"] = [f"b{cell[1:]}" for cell in table["cell"]]
        table["workers"] = 16

    with pytest.raises(UserError, match="runs/a and runs/b have no cell in common"):
        compare(side(), side("runs/b", change=elsewhere))
    with pytest.raises(UserError, match="runs/a has no result to compare"):
        compare(side(change=put("status", "failed")), side("runs/b"))
    with pytest.raises(UserError, match="runs/b has no result to compare"):
        compare(side(), side("runs/b", change=put("status", "missing")))
    with pytest.raises(UserError, match="no result"):
        compare(Side(name="x", table=pd.DataFrame(), provenance={}), side())


def test_a_run_in_which_all_failed_fails_the_check(side: Make) -> None:
    found = compare(side(), side("runs/b", change=put("status", "failed")))
    assert len(found.lost) == 6 and found.fails(0.05) and not found.cells


def test_the_values_of_epochs_are_those_of_the_column(side: Make) -> None:
    a = side()
    found = compare(a, side("runs/b"))
    first = json.loads(a.table["epochs_s"][0])
    cell = next(cell for cell in found.cells if cell.place.cell.endswith("0"))
    assert cell.a_s == pytest.approx(sum(first) / 3)
