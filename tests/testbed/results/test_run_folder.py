from __future__ import annotations

import json
import math
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from testbed.cell import Cell
from testbed.errors import LabError, UserError
from testbed.results import atomic
from testbed.results.run_folder import CapturesNotKept, RunFolder
from testbed.specification import load_plan


@pytest.fixture
def cell(sweep_file: Path) -> Cell:
    return load_plan(sweep_file, lambda: "virtual", lambda cell: cell).cells[0]


@pytest.fixture
def run(tmp_path: Path):
    folder = RunFolder(tmp_path / "run")
    with folder.locked():
        yield folder


def test_cells_are_declared_and_read_back(run: RunFolder, cell: Cell) -> None:
    run.declare("trial", "name: trial\n", [cell], [250e-6])
    assert RunFolder.existing(run.path).declared() == [cell]
    assert (run.path / "specification.yaml").read_text() == "name: trial\n"
    assert json.loads((run.path / "resolved.json").read_text())["cells"][0]["link_delay_s"] == 250e-6


def test_a_result_takes_the_place_of_a_failure(run: RunFolder, cell: Cell, scripted: ModuleType) -> None:
    run.store_failure(cell, "the guest died", session=2)
    document = run.document(cell)
    assert document and (document["reason"], document["session"]) == ("the guest died", 2)
    assert not run.is_finished(cell)
    run.store(cell, scripted.measurement(cell))
    document = run.document(cell)
    assert document and document["status"] == "ok" and run.is_finished(cell)
    assert not list((run.path / "failed").iterdir())


def test_what_a_cell_brings_along_is_kept_before_its_document(
    run: RunFolder, cell: Cell, scripted: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    captures = tmp_path / "spool"
    captures.mkdir()
    (captures / "w0-s0.pcap").write_text("packets")
    trace: dict[str, Any] = {"steps": [], "workers": []}
    with monkeypatch.context() as patch:
        patch.setattr(atomic, "write_json", lambda path, document: (_ for _ in ()).throw(LabError("the disk is full")))
        with pytest.raises(LabError, match="the disk is full"):
            run.store(cell, scripted.measurement(cell), trace, captures)
    assert run.trace(cell) is None  # it is of a cell that was not finished
    assert (run.path / "captures" / cell.id / "w0-s0.pcap").read_text() == "packets"
    run.store(cell, scripted.measurement(cell), trace)
    assert run.trace(cell) == {"schema": 1, "cell": cell.to_json(), **trace}


def test_captures_that_cannot_be_kept_are_the_cells_fault(
    run: RunFolder, cell: Cell, scripted: ModuleType, tmp_path: Path
) -> None:
    (run.path / "captures").write_text("in the way")
    with pytest.raises(CapturesNotKept, match=r"packet captures could not be kept in .*captures.*: make room"):
        run.store(cell, scripted.measurement(cell), {}, tmp_path / "spool")
    assert not run.is_finished(cell)


@pytest.mark.parametrize("change", [{"warmup": None}, {"repetitions": []}, {"emulated_s": math.nan}])
def test_an_unusable_measurement_is_not_kept(
    run: RunFolder, cell: Cell, scripted: ModuleType, change: dict[str, object]
) -> None:
    measurement = {**scripted.measurement(cell), **change}
    if measurement["warmup"] is None:
        del measurement["warmup"]
    with pytest.raises(ValueError):
        run.store(cell, measurement)
    assert not run.is_finished(cell)


def test_a_second_sweep_is_refused(run: RunFolder) -> None:
    with pytest.raises(UserError, match="in use by another sweep"), RunFolder(run.path).locked():
        pass


def test_a_killed_writer_leaves_nothing_that_is_read(tmp_path: Path, cell: Cell) -> None:
    run = RunFolder(tmp_path / "run")
    with run.locked():
        partial = run.path / "cells" / f".{cell.id}.json.77.partial"
        partial.write_text('{"schema": 1, "ce')
    with run.locked():
        assert not partial.exists() and not run.is_finished(cell)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda text: text[: len(text) // 2], "damaged"),
        (lambda text: "[]", "damaged"),
        (lambda text: text.replace('"schema": 1', '"schema": 2'), "has schema 2"),
        (lambda text: text.replace('"workers": 4', '"workers": 5'), "damaged"),
        (lambda text: text.replace('"workers"', '"wrkers"'), "damaged"),
        (lambda text: text.replace('"probe"', '"prob"'), "damaged"),
    ],
)
def test_a_damaged_or_newer_document_is_named(run, cell, scripted, damage, words) -> None:
    run.store(cell, scripted.measurement(cell))
    path = run.path / "cells" / f"{cell.id}.json"
    path.write_text(damage(path.read_text()))
    with pytest.raises(LabError, match=words) as caught:
        run.is_finished(cell)
    assert str(path) in str(caught.value)


def test_a_folder_that_is_no_run_and_a_file_in_its_place_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no run folder"):
        RunFolder.existing(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="--run"), RunFolder(tmp_path / "file").locked():
        pass


def test_each_session_adds_its_provenance(run: RunFolder) -> None:
    assert run.provenance() == {}
    run.add_session({"date": "first"})
    run.add_session({"date": "second"})
    provenance = run.provenance()
    assert provenance["date"] == "second"
    assert [session["date"] for session in provenance["sessions"]] == ["first", "second"]
    run.replace_session({"date": "second", "kernel": "6.12"})
    provenance = run.provenance()
    assert provenance["kernel"] == "6.12"
    assert [session["date"] for session in provenance["sessions"]] == ["first", "second"]
