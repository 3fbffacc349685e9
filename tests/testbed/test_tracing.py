from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from testbed.cell import Cell
from testbed.errors import LabError, UserError
from testbed.results.run_folder import RunFolder
from testbed.specification import load_plan
from testbed.tracing import write_trace

TRACE = {"steps": [35], "workers": [[{"begin_ns": 0, "end_ns": 9, "slices": [["compute", 0, 9]]}]]}


@pytest.fixture
def cells(sweep_file: Path) -> list[Cell]:
    """At 5 Mbit/s and 1.4 Gbit/s, allreduce and d-psgd."""
    return list(load_plan(sweep_file, lambda: "virtual", lambda cell: cell).cells)


@pytest.fixture
def run(tmp_path: Path, cells: list[Cell], scripted: ModuleType) -> Iterator[RunFolder]:
    """The first has a trace, the second none, the third has failed, the fourth was not reached."""
    folder = RunFolder(tmp_path / "run")
    with folder.locked():
        folder.declare("trial", "", cells, [0.0] * len(cells))
        folder.store(cells[0], scripted.measurement(cells[0]), TRACE)
        folder.store(cells[1], scripted.measurement(cells[1]))
        folder.store_failure(cells[2], "the guest died", session=0)
        yield folder


def test_the_cell_whose_id_begins_so_is_written(run: RunFolder, cells: list[Cell], tmp_path: Path) -> None:
    path = write_trace(run, cells[0].id[:10], (), tmp_path / "trace.json")
    document = json.loads(path.read_text())
    assert document["otherData"]["cell"] == cells[0].to_json()
    assert [event["name"] for event in document["traceEvents"] if event["ph"] == "X"] == ["step 35", "compute"]


def test_without_a_file_it_goes_where_the_user_is(
    run: RunFolder, cells: list[Cell], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert write_trace(run, None, ("bandwidth=5 Mbit/s", "algorithm=allreduce"), None) == Path(
        f"{cells[0].id}.trace.json"
    )
    assert (tmp_path / f"{cells[0].id}.trace.json").is_file()


def test_several_cells_are_listed_with_what_tells_them_apart(run: RunFolder, cells: list[Cell]) -> None:
    with pytest.raises(UserError) as caught:
        write_trace(run, None, (), None)
    said = str(caught.value)
    assert said.startswith("4 cells are meant: give a longer id, or one more --only:") and "\n" not in said
    assert f"{cells[0].id} (star, 4 workers, 5 Mbit/s, 1 ms, allreduce fp32)" in said and said.endswith("and 1 more")


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (1, "has no trace, because an older version of Gradwire measured it: remove .*/cells/.*json and run the sweep"),
        (2, r"has no result \(the guest died\)"),
        (3, "has not been measured: run the sweep"),
    ],
)
def test_a_cell_without_a_trace_says_why(run: RunFolder, cells: list[Cell], number: int, words: str) -> None:
    with pytest.raises(UserError, match=rf"cell {cells[number].id} \(star.*\) of .* {words}"):
        write_trace(run, cells[number].id, (), None)


def test_a_cell_that_is_not_there_and_a_folder_that_is_not_are_refused(run: RunFolder, cells: list[Cell]) -> None:
    with pytest.raises(UserError, match=r"cell xyz: no id of a cell begins so: `gradwire table .*run` lists them"):
        write_trace(run, "xyz", (), None)
    with pytest.raises(UserError, match=r"--output /nowhere/t\.json: the folder /nowhere does not exist"):
        write_trace(run, cells[0].id, (), Path("/nowhere/t.json"))
    with pytest.raises(UserError, match="--only: unknown key wrkers"):
        write_trace(run, None, ("wrkers=4",), None)


def test_a_damaged_trace_is_a_fault(run: RunFolder, cells: list[Cell]) -> None:
    next((run.path / "traces").iterdir()).write_bytes(b"{")
    with pytest.raises(LabError, match="is damaged"):
        write_trace(run, cells[0].id, (), None)
