import pytest

from reports import guide
from reports.quantities import TIMES
from testbed.errors import UserError
from tests.reports.pages.test_quality import table as quality_table
from tests.reports.test_training import PROVENANCE

SMALL = {"bandwidths": (5e6, 10e9), "latencies": (0.13e-3, 20e-3)}


def lines(text: str, begin: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith(begin)]


def test_the_fastest_is_said_by_network_with_its_gain(tables):
    text = guide.guide(tables.make(**SMALL), tables.provenance)
    assert "20 cells: 20 ok, of which 0 unfaithful" in text and "commit 0123456789ab" in text
    assert lines(text, "### ") == ["### Star, 8 workers"]
    header, _, slow, fast = lines(text, "|")[:4]
    assert header == "| bandwidth | 0.13 ms | 20 ms |"
    tied = f"**dcd-psgd qsgd 8 bit** 3.2{TIMES}, or ecd-psgd qsgd 8 bit"  # by formula; both send as much
    assert slow == f"| 5 Mbit/s | **allreduce qsgd 8 bit** 3.5{TIMES} | {tied} |"
    assert fast.startswith("| 10 Gbit/s | ")
    assert (
        "from 10 Gbit/s on at 0.13 ms" in text and "at 20 ms" not in text.partition("hardly matters")[2].split("\n")[0]
    )


def test_without_codes_there_is_a_table_of_its_own(tables):
    text = guide.guide(tables.make(**SMALL), tables.provenance).partition("with fp32 alone")[2]
    slow, fast = lines(text, "|")[2:]
    assert slow == "| 5 Mbit/s | **allreduce fp32** | **allreduce fp32** |"
    assert "**d-psgd fp32**" in fast and "qsgd" not in text


def test_what_is_unfaithful_or_failed_is_not_judged(tables):
    table = tables.make(**SMALL)
    first = tables.where(table, bandwidth_bit_per_s=5e6, latency_s=0.13e-3)
    table.loc[first, "faithful"] = False
    table = tables.fail(table, tables.where(table, bandwidth_bit_per_s=5e6, latency_s=20e-3))
    text = guide.guide(table, tables.provenance)
    assert lines(text, "| 5 Mbit/s")[0] == "| 5 Mbit/s | not judged: unfaithful | not measured |"
    assert "20 cells: 15 ok, 5 failed, of which 5 unfaithful" in text
    assert "of 2 networks" in text and "of 4 networks" not in text


def test_no_system_is_the_fastest_where_another_is_missing(tables):
    table = tables.make(**SMALL)
    slow = {"bandwidth_bit_per_s": 5e6, "latency_s": 20e-3}
    table.loc[tables.where(table, algorithm="dcd-psgd", **slow), "status"] = "missing"
    table = tables.fail(table, tables.where(table, algorithm="ecd-psgd", **slow))
    text = guide.guide(table, tables.provenance)
    words = "not judged: without dcd-psgd qsgd 8 bit, ecd-psgd qsgd 8 bit |"
    assert lines(text, "| 5 Mbit/s")[0].endswith(words)
    assert "of 3 networks" in text and "of 4 networks" not in text
    assert lines(text, "| 5 Mbit/s")[1] == "| 5 Mbit/s | **allreduce fp32** | **allreduce fp32** |"


def test_a_run_with_nothing_to_compare_is_refused(tables):
    for systems in ((), (("allreduce", "fp32"),)):
        with pytest.raises(UserError, match="no two systems"):
            guide.guide(tables.make(systems=systems, **SMALL), tables.provenance)
    table = tables.make(**SMALL)
    with pytest.raises(UserError, match="no two systems"):
        guide.guide(tables.fail(table, table["status"] == "ok"), tables.provenance)


def test_names_stay_text(tables):
    table = tables.make(**SMALL)
    table["topology"] = "<script>|`x` [a](b)"
    text = guide.guide(table, tables.provenance)
    assert "### \\<script\\>\\|\\`x\\` \\[a\\](b), 8 workers" in text


def test_a_training_says_what_each_costs():
    frame = quality_table()
    text = guide.quality(frame, PROVENANCE)
    (row,) = lines(text, "| qsgd qsgd")
    assert row == "| qsgd qsgd | 8.4 | 0.25 | 0.810 (0.800 to 0.820) | -0.010 (-0.010 to -0.010) |"
    assert "run tiny" in text and "hidden 128" in text
    with pytest.raises(UserError, match="too few systems"):
        guide.quality(frame[frame["algorithm"] == "allreduce"], PROVENANCE)
