import pandas as pd
import pytest

from reports.claims import Target, Verdict, together
from reports.tang2018 import RULES, tang_figure3_verdict
from reports.view import Interval

ENDS = {"bandwidths": (5e6, 50e6, 1.4e9), "latencies": (0.13e-3, 5e-3, 20e-3)}


@pytest.fixture
def table(tables):
    return tables.make(**ENDS)


def verdicts(table):
    return [claim.verdict for claim in tang_figure3_verdict(table)]


def the(table, words):
    (claim,) = [claim for claim in tang_figure3_verdict(table) if words in claim.claim]
    return claim


def scale(tables, table, column, factor, **where):
    changed = table.copy()
    changed.loc[tables.where(changed, **where), column] *= factor
    return changed


def test_the_model_of_the_papers_network_agrees_with_every_claim(table):
    claims = tang_figure3_verdict(table)
    assert [claim.verdict for claim in claims] == [Verdict.AGREE] * len(RULES)
    assert {claim.part for claim in claims} == set("abcd")
    assert all("3 repetitions" in c.why or "has no interval" in c.why for c in claims)


FULL, ALL = {"algorithm": "d-psgd"}, {"algorithm": "allreduce", "codec": "fp32"}


@pytest.mark.parametrize(
    ("words", "column", "factor", "where"),
    [
        ("quarter of the bytes", "declared_bytes_per_step", 2.0, {"algorithm": "ecd-psgd"}),
        ("quarter of the time", "communicate_s", 2.0, {"algorithm": "dcd-psgd", "bandwidth_bit_per_s": 5e6}),
        ("no advantage", "epoch_s", 0.5, FULL | {"bandwidth_bit_per_s": 50e6, "latency_s": 0.13e-3}),
        ("win at the low end", "epoch_s", 5.0, {"algorithm": "ecd-psgd", "bandwidth_bit_per_s": 5e6}),
        ("beat allreduce", "epoch_s", 0.4, ALL | {"latency_s": 20e-3}),
        ("collapse", "epoch_s", 0.05, FULL | {"bandwidth_bit_per_s": 5e6}),
        (
            "similar time",
            "epoch_s",
            1.6,
            {"algorithm": "dcd-psgd", "bandwidth_bit_per_s": 1.4e9, "latency_s": 5e-3},
        ),
        ("allreduce is slower", "epoch_s", 0.3, ALL | {"bandwidth_bit_per_s": 1.4e9}),
        ("only 8-bit", "epoch_s", 0.3, FULL | {"bandwidth_bit_per_s": 5e6, "latency_s": 5e-3}),
    ],
)
def test_a_claim_is_denied_when_its_numbers_are(tables, table, words, column, factor, where):
    assert the(table, words).verdict is Verdict.AGREE
    claim = the(scale(tables, table, column, factor, **where), words)
    assert claim.verdict is Verdict.DISAGREE
    assert "outside" in claim.why


def test_an_interval_across_the_targets_end_decides_nothing(tables, table):
    wide = scale(tables, table, "epoch_ci95_s", 200.0, algorithm="d-psgd", latency_s=0.13e-3)
    claim = the(wide, "no advantage")
    assert claim.verdict is Verdict.NOT_TESTED
    assert "straddles" in claim.why


def test_an_unfaithful_or_failed_cell_is_no_evidence(tables, table):
    at = {"algorithm": "d-psgd", "bandwidth_bit_per_s": 5e6, "latency_s": 0.13e-3}
    unfaithful = table.copy()
    unfaithful.loc[tables.where(table, **at), "faithful"] = False
    assert "unfaithful" in the(unfaithful, "win at the low end").why
    failed = the(tables.fail(table, tables.where(table, **at), "guest hung"), "win at the low end")
    assert failed.verdict is Verdict.NOT_TESTED
    assert "guest hung" in failed.why
    assert the(unfaithful, "beat allreduce").verdict is Verdict.AGREE


@pytest.mark.parametrize(
    "lacking",
    [
        {"topologies": ("ring",)},
        {"workers": 16},
        {"systems": (("allreduce", "fp32"),)},
        {"bandwidths": (10e6, 1e9)},
        {"latencies": (1e-3,)},
    ],
)
def test_what_the_run_lacks_is_not_tested(tables, lacking):
    claims = tang_figure3_verdict(tables.make(**(ENDS | lacking)))
    assert {claim.verdict for claim in claims} == {Verdict.NOT_TESTED}
    assert all(claim.why for claim in claims)


def test_an_empty_table_tests_nothing():
    assert set(verdicts(pd.DataFrame())) == {Verdict.NOT_TESTED}


def test_other_bits_are_not_the_papers_eight(table):
    four = table.assign(codec_options=table["codec_options"].str.replace("8", "4"))
    assert "no decentralized 8-bit system" in the(four, "win at the low end").why


def test_each_compute_scale_is_judged_alone(tables):
    claims = tang_figure3_verdict(tables.make(**ENDS, scales=(0.5, 1.0, 2.0)))
    assert len(claims) == 3 * len(RULES)
    assert len({claim.setting for claim in claims}) == 3


def test_two_repetitions_are_said_to_be_no_confidence(table):
    assert "no confidence interval" in the(table.assign(repetitions=2), "beat allreduce").why


@pytest.mark.parametrize(
    ("measured", "verdict"),
    [
        (Interval(1.0, 0.9, 1.1), Verdict.AGREE),
        (Interval(1.2, 1.1, 1.3), Verdict.NOT_TESTED),
        (Interval(1.5, 1.4, 1.6), Verdict.DISAGREE),
        (Interval(0.5, 0.4, 0.7), Verdict.DISAGREE),
        (Interval(float("nan"), float("nan"), float("nan")), Verdict.NOT_TESTED),
    ],
)
def test_an_interval_agrees_inside_and_disagrees_outside(measured, verdict):
    assert Target(low=0.8, high=1.25).judge(measured) is verdict


def test_one_denial_denies_the_whole():
    assert together([Verdict.AGREE, Verdict.NOT_TESTED, Verdict.DISAGREE]) is Verdict.DISAGREE
    assert together([Verdict.AGREE, Verdict.NOT_TESTED]) is Verdict.NOT_TESTED
    assert together([]) is Verdict.NOT_TESTED
