"""The sentences that answer what a run was made for."""

from __future__ import annotations

from typing import Any

from reports.explorer.answers import answers
from reports.quantities import TIMES
from reports.view import views

ONE: dict[str, Any] = {"bandwidths": [100e6], "latencies": [20e-3], "topologies": ["ring"]}
SYSTEMS = [("allreduce", "fp32"), ("d-psgd", "fp32"), ("dcd-psgd", "qsgd")]
WHERE = "On ring, 8 workers, at 100 Mbit/s and 20 ms, "


def said(tables: Any, epochs: list[float | None], half: float = 0.1, **columns: Any) -> list[str]:
    """The answers of three systems on one network with these epochs; None: failed."""
    table = tables.make(systems=SYSTEMS, **ONE)
    for number, epoch in enumerate(epochs):
        if epoch is None:
            table = tables.fail(table, table.index == number)
    table["epoch_s"], table["epoch_ci95_s"] = epochs, half
    for column, values in columns.items():
        table[column] = values
    return answers(views(table)[0])


def test_the_fastest_is_named_with_its_speed_up_and_interval(tables: Any) -> None:
    assert said(tables, [34.0, 20.0, 10.0]) == [
        WHERE + f"dcd-psgd qsgd 8 bit is 3.4{TIMES} as fast as allreduce fp32 (95 % interval 3.4{TIMES} to 3.4{TIMES})."
    ]


def test_what_cannot_be_told_apart_is_not_told_apart(tables: Any) -> None:
    assert said(tables, [34.0, 10.1, 10.0])[0].endswith("; d-psgd fp32 may be as fast.")
    assert "dcd-psgd qsgd 8 bit and allreduce fp32 cannot be told apart" in said(tables, [10.1, 20.0, 10.0])[0]
    assert said(tables, [9.0, 20.0, 10.0]) == [WHERE + "nothing is faster than allreduce fp32."]


def test_few_repetitions_give_no_confidence_interval(tables: Any) -> None:
    assert f"(within-run spread 3.4{TIMES} to 3.4{TIMES})" in said(tables, [34.0, 20.0, 10.0], repetitions=2)[0]


def test_nothing_is_claimed_of_unfaithful_or_failed_cells(tables: Any) -> None:
    assert said(tables, [34.0, 20.0, 10.0], faithful=[True, True, False])[0].endswith("was off: no answer.")
    assert "allreduce fp32, to compare with, was not measured" in said(tables, [None, 20.0, 10.0])[0]
    assert said(tables, [None, None, None]) == ["On ring, 8 workers no cell was measured, so that nothing can be said."]


def test_of_several_networks_the_clearest_comes_first_then_all_then_the_corners(tables: Any) -> None:
    table = tables.make(systems=SYSTEMS, topologies=["ring"])
    first, overall, *corners = answers(views(table)[0])
    assert "at 5 Mbit/s and 20 ms, dcd-psgd" in first
    assert overall.startswith("The fastest, on the 32 networks of ring, 8 workers: ")
    counts = [int(part.rpartition(" on ")[2].rstrip(".")) for part in overall.partition(": ")[2].split("; ")]
    assert sum(counts) == 32
    assert len(corners) == 3 and "at 10 Gbit/s and 20 ms" in corners[-1]
