from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from testbed.cell import Cell
from testbed.errors import LabError
from testbed.results import traces
from testbed.specification import load_plan

TRACE = {
    "steps": [34, 35],
    "workers": [
        [
            {
                "begin_ns": 0,
                "end_ns": 10_500,
                "slices": [
                    ["compute", 0, 4_001],
                    ["send", 0, 0, [[1, 40], [2, 2]]],
                    ["wait", 9, 5_991, [[1, 7]]],
                ],
            },
            {"begin_ns": 10_500, "end_ns": 20_000, "slices": [["allreduce (MPI)", 500, 9_000]]},
        ],
        [{"begin_ns": 100, "end_ns": 9_000, "slices": []}, {"begin_ns": 9_000, "end_ns": 20_000, "slices": []}],
    ],
}


@pytest.fixture
def cell(sweep_file: Path) -> Cell:
    return load_plan(sweep_file, lambda: "virtual", lambda cell: cell).cells[0]


def test_a_trace_comes_back_as_it_was_and_says_whose_it_is(tmp_path: Path, cell: Cell) -> None:
    traces.write(tmp_path / "a", cell, TRACE)
    assert traces.read(tmp_path / "a") == {"schema": 1, "cell": cell.to_json(), **TRACE}
    traces.write(tmp_path / "b", cell, TRACE)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()  # equal runs leave equal files


@pytest.mark.parametrize(
    "content", [b"", b"{}", gzip.compress(b"{}"), gzip.compress(b"[1]"), gzip.compress(b'{"a": 1}' * 99)[:-9]]
)
def test_a_damaged_trace_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "abc.json.gz"
    path.write_bytes(content)
    with pytest.raises(LabError, match=rf"{path} is damaged: .* run the sweep again"):
        traces.read(path)


def events(kind: str) -> list[dict[str, Any]]:
    document = traces.chrome_events({"cell": {"seed": 1}, **TRACE}, "star, 2 workers")
    assert json.loads(json.dumps(document, allow_nan=False)) == document
    return [event for event in document["traceEvents"] if event["ph"] == kind]


def test_every_worker_is_a_track_with_its_name() -> None:
    names = {(event["name"], event["tid"]): event["args"].get("name") for event in events("M")}
    assert names[("process_name", 0)] == "star, 2 workers"
    assert [names[("thread_name", rank)] for rank in range(2)] == ["worker 0", "worker 1"]


def test_steps_enclose_their_slices_in_microseconds() -> None:
    of_first = [(event["name"], event["ts"], event["dur"]) for event in events("X") if event["tid"] == 0]
    assert of_first == [
        ("step 34", 0.0, 10.5),
        ("compute", 0.0, 4.001),
        ("send", 4.001, 0.0),
        ("wait", 4.01, 5.991),
        ("step 35", 10.5, 9.5),
        ("allreduce (MPI)", 11.0, 9.0),
    ]


def test_an_exchange_says_with_whom_and_how_much() -> None:
    told = {event["name"]: event["args"] for event in events("X") if "args" in event}
    assert told == {
        "send": {"bytes": 42, "to": [{"worker": 1, "bytes": 40}, {"worker": 2, "bytes": 2}]},
        "wait": {"bytes": 7, "from": [{"worker": 1, "bytes": 7}]},
    }
