from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from testbed.errors import LabError
from testbed.program import result


@pytest.fixture
def document() -> dict[str, Any]:
    rank = {"exit_status": 0, "signal": None, "begin_s": 0.0, "end_s": 1.5}
    return {
        "lab": "virtual",
        "time_is": "emulated time",
        "note": "network time only: compute takes no emulated time",
        "time_s": 1.5,
        "timed_out": False,
        "exit_status": 0,
        "network": {
            "topology": "star", "workers": 2, "bandwidth_bit_per_s": 1e8, "latency_s": 0.02, "jitter_s": 0.0,
            "loss": 0.01,
        },
        "ranks": [{**rank, "rank": 0}, {**rank, "rank": 1}],
        "links": [
            {"ends": ["w0", "s0"], "bytes": [1234567, 89], "packets": [900, 1]},
            {"ends": ["w1", "s0"], "bytes": [89, 1234567], "packets": [1, 900]},
        ],
        "probe": {
            "rtt_s": 0.0200312, "rtt_expected_s": 0.0200314, "goodput_bit_per_s": 9.5636e7,
            "goodput_expected_bit_per_s": 9.56407e7, "faithful": True, "saturated": False,
        },
    }  # fmt: skip


def test_the_report_says_what_was_asked_and_what_was_found(document: dict[str, Any]) -> None:
    assert result.report(document).splitlines() == [
        "star, 2 workers, 100 Mbit/s, 20 ms, loss 1 %, lab virtual",
        "  emulated time  1.5 s (network time only: compute takes no emulated time)",
        "  program        all ranks ended with status 0",
        "  probe          faithful: round trip 20.03 ms (asked 20 ms, expected 20.0314 ms), "
        "TCP 95.64 Mbit/s (asked 100 Mbit/s, expected 95.6407 Mbit/s)",
        "  link     bytes there  bytes back",
        "  w0 - s0    1,234,567          89",
        "  w1 - s0           89   1,234,567",
    ]


@pytest.mark.parametrize(
    ("probe", "word"),
    [({"faithful": False}, "unfaithful:"), ({"faithful": False, "saturated": True}, "saturated:"), ({}, "faithful:")],
)
def test_a_network_that_is_not_what_was_asked_for_is_seen_as_such(
    document: dict[str, Any], probe: dict[str, Any], word: str
) -> None:
    document["probe"] |= probe
    assert f" {word} round trip" in result.report(document)


def test_a_path_without_answers_has_no_round_trip(document: dict[str, Any]) -> None:
    document["probe"] |= {"rtt_s": None, "faithful": False}
    assert "unfaithful: round trip none (asked 20 ms" in result.report(document)


def test_ranks_that_ended_alike_are_told_together(document: dict[str, Any]) -> None:
    endings = [(0, None), (0, None), (None, "SIGSEGV"), (0, None), (None, None)]
    document["ranks"] = [
        {"rank": rank, "exit_status": status, "signal": signal} for rank, (status, signal) in enumerate(endings)
    ]
    said = "ranks 0-1, 3 ended with status 0; rank 2 ended by SIGSEGV; rank 4 stopped with the others"
    assert said in result.report(document)
    document["timed_out"] = True
    assert f"its time was up; {said}" in result.report(document)


def test_a_result_is_a_folder_of_all_that_is_known(document: dict[str, Any], tmp_path: Path) -> None:
    ranks = tmp_path / "ranks"
    ranks.mkdir()
    for name in ("rank-0.out", "rank-0.err", "rank-0.status"):
        (ranks / name).write_text(name)
    result.keep(document, ranks, tmp_path / "result-of-a-run")
    kept = tmp_path / "result-of-a-run"
    assert {path.name for path in kept.iterdir()} == {"run.json", "links.csv", "rank-0.out", "rank-0.err"}
    assert json.loads((kept / "run.json").read_text()) == document
    assert (kept / "links.csv").read_text().splitlines() == [
        "from,to,bytes,packets", "w0,s0,1234567,900", "s0,w0,89,1", "w1,s0,89,1", "s0,w1,1234567,900",
    ]  # fmt: skip


def test_a_result_that_cannot_be_written_is_a_fault(document: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "ranks").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(LabError, match="could not be written"):
        result.keep(document, tmp_path / "ranks", tmp_path / "file" / "below")
