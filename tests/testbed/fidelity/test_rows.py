"""From documents of cells to rows that meet their targets or do not."""

from __future__ import annotations

import dataclasses
import math

import pytest

from testbed.errors import UserError
from testbed.fidelity import cells, rows, sheets

ALLREDUCE, EXCHANGE = cells.programmes("virtual", quick=True)["virtual"].grid[:2]
LARGE = cells.programmes("host", quick=False)["host"].grid[-1]


def document(step_s, **changes):
    counted = {
        "declared_per_step": 1000.0,
        "handed_per_step": 1000.0,
        "socket_per_step": 1064.0,
        "mpi_header_per_step": 64.0,
        "interface": {"total": 1200.0, "unexplained": 0.0},
    }
    probe = {
        "rtt_s": 1.001e-3,
        "rtt_expected_s": 1e-3,
        "goodput_bit_per_s": 95e6,
        "goodput_expected_bit_per_s": 95e6,
        "faithful": True,
        "saturated": False,
        "detail": [],
    }
    return {
        "repetitions": [{"step_s": step_s, "communicate_s": step_s}],
        "bytes": counted | {name: value for name, value in changes.items() if name in counted},
        "probe": probe | {name: value for name, value in changes.items() if name in probe},
    }


def at(cell, **changes):
    return dataclasses.replace(cell, network=dataclasses.replace(cell.network, **changes))


@pytest.mark.parametrize("cell", [ALLREDUCE, EXCHANGE])
@pytest.mark.parametrize(
    ("changes", "off", "met"),
    [
        ({}, 1.009, True),
        ({}, 0.989, False),
        ({}, 1.011, False),
        ({"bandwidth_bit_per_s": 10e9}, 1.019, True),
        ({"bandwidth_bit_per_s": 10e9}, 1.021, False),
        ({"workers": 24}, 1.029, True),
        ({"workers": 24}, 1.031, False),
    ],
)
def test_a_step_is_held_to_its_networks_target(cell, changes, off, met):
    cell = at(cell, **changes)
    model_s = rows.expected(cell).total
    row = rows.model_row(cell, document([9.0, off * model_s, 0.0]))
    assert row.ratio == pytest.approx(off)
    assert row.met is met


def test_the_model_does_not_guess():
    with pytest.raises(UserError, match="got allreduce qsgd"):
        rows.expected(dataclasses.replace(ALLREDUCE, codec="qsgd"))
    assert rows.expected(dataclasses.replace(ALLREDUCE, algorithm_options={"exchange": "ring"})) == rows.expected(
        ALLREDUCE
    )
    for exchange in ("rabenseifner", "mpi"):
        with pytest.raises(UserError, match=f"the model knows allreduce by exchange ring, got {exchange}"):
            rows.expected(dataclasses.replace(ALLREDUCE, algorithm_options={"exchange": exchange}))


def seen(what, expected, measured, faithful=True):
    return {"what": what, "expected": expected, "measured": measured, "faithful": faithful}


@pytest.mark.parametrize(
    ("faithful", "saturated", "judgement", "met"),
    [
        (True, False, "faithful", True),
        (False, True, "saturated", True),
        (False, False, "unfaithful", False),
    ],
)
def test_links_meet_their_target_when_faithful_or_marked(faithful, saturated, judgement, met):
    row = rows.link_row(ALLREDUCE, document([1.0], faithful=faithful, saturated=saturated))
    assert (row.judgement, row.met) == (judgement, met)


def test_links_show_the_largest_error_of_all_paths_alone_and_all_at_once():
    detail = [
        seen("rtt", 1e-3, 1.001e-3),
        seen("rtt", 1e-3, 0.998e-3),
        seen("goodput alone", 100.0, 99.0),
        seen("goodput all at once", 100.0, 101.0),
        seen("goodput all at once", 100.0, 90.0),
    ]
    row = rows.link_row(ALLREDUCE, document([1.0], detail=detail))
    assert row.rtt_error_s == pytest.approx(-2e-6)
    assert row.alone_error == pytest.approx(-0.01)
    assert row.together_error == pytest.approx(-0.1)
    lost = rows.link_row(ALLREDUCE, document([1.0], detail=[*detail, seen("rtt", 1e-3, None)]))
    assert math.isnan(lost.rtt_error_s)


def test_a_saturated_step_is_shown_and_not_judged():
    model_s = rows.expected(ALLREDUCE).total
    row = rows.model_row(ALLREDUCE, document([1.4 * model_s], saturated=True, faithful=False))
    assert row.met
    assert "1.4000 (saturated)" in sheets.model_sheet([row]).rows[0]


def test_an_exchange_beside_overrunning_work_is_judged():
    model_s = rows.expected(ALLREDUCE).total
    row = rows.model_row(ALLREDUCE, document([1.4 * model_s]) | {"overrun": {"share": 0.5}})
    assert (row.mark, row.met) == ("overrun", False)


def test_the_large_exchange_is_judged_also_where_it_is_marked():
    model_s = rows.expected(LARGE).total
    good, bad = (rows.model_row(LARGE, document([factor * model_s], saturated=True)) for factor in (1.01, 1.02))
    assert (good.met, bad.met) == (True, False)


@pytest.mark.parametrize(
    ("lab", "unexplained", "met"), [("virtual", 1.0, False), ("host", 9.0, True), ("host", 11.0, False)]
)
def test_in_real_time_some_bytes_may_be_options(lab, unexplained, met):
    cell = dataclasses.replace(ALLREDUCE, lab=lab)
    counted = {"interface": {"total": 1e6, "unexplained": unexplained}}
    assert rows.bytes_row(cell, document([1.0], **counted)).met is met


def test_hosts_are_held_to_their_times():
    facts = {"networks": {"star-8": {"up_s": 0.2, "shaped_s": 0.3, "down_s": 0.1}, "ring-8": {"up_s": 0.2}}}
    (row,) = rows.hosts_rows(facts)
    assert row.met and row.reshaped_s is None
    (slow,) = rows.hosts_rows({"networks": {"star-8": {**facts["networks"]["star-8"], "reshaped_s": 0.06}}})
    assert not slow.met
    assert rows.hosts_rows({}) == []


def test_runs_of_one_cell_are_compared_with_one_another():
    runs = [{ALLREDUCE.id: document([1.0])}, {}, {ALLREDUCE.id: document([1.004]), EXCHANGE.id: document([2.0])}]
    first, second = rows.same_rows([ALLREDUCE, EXCHANGE], runs)
    assert first.difference == pytest.approx(0.004)
    assert first.met and second.met
    (worse,) = rows.same_rows([ALLREDUCE], [*runs, {ALLREDUCE.id: document([0.998])}])
    assert not worse.met


@pytest.mark.parametrize(
    ("changes", "met"),
    [
        ({}, True),
        ({"socket_per_step": 1064.9}, True),
        ({"socket_per_step": 1066.0}, False),
        ({"handed_per_step": 1000.1}, False),
        ({"interface": {"total": 1200.0, "unexplained": 2.0}}, False),
    ],
)
def test_bytes_are_held_to_the_identities(changes, met):
    assert rows.bytes_row(ALLREDUCE, document([1.0], **changes)).met is met


def test_a_miss_is_named_with_its_numbers():
    model_s = rows.expected(ALLREDUCE).total
    good, bad = (rows.model_row(ALLREDUCE, document([factor * model_s])) for factor in (1, 1.5))
    sheet = sheets.model_sheet([good, bad])
    (miss,) = sheet.misses
    assert "ratio 1.5000" in miss and "workers 4" in miss
    assert [row[-1] for row in sheet.rows] == ["yes", "NO"]
    assert all(len(row) == len(sheet.columns) for row in sheet.rows)


def test_markdown_has_a_line_for_every_row():
    sheet = sheets.bytes_sheet([rows.bytes_row(ALLREDUCE, document([1.0]))])
    lines = sheets.as_markdown(sheet).splitlines()
    table = [line for line in lines if line.startswith("|")]
    assert len(table) == 3
    assert len({line.count("|") for line in table}) == 1


def test_every_term_has_a_column():
    names = {field.name for field in dataclasses.fields(rows.expected(ALLREDUCE))}
    assert set(sheets.TERM_HEADINGS) == names
    assert math.isfinite(rows.expected(ALLREDUCE).total)
