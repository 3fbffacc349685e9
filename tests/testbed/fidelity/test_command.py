"""The command, on a scripted lab; and, where a kernel has been built, on the virtual one."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from testbed import fidelity
from testbed.fidelity import rows
from testbed.labs import registry
from testbed.labs.lab import CellFailed, CellFinished
from testbed.labs.virtual import kernel


class ScriptedLab:
    """Measures what the model says, but for what `slower` and `failing` say."""

    name = "scripted"

    def __init__(self, slower: float = 1.0, failing: bool = False) -> None:
        self.slower = slower
        self.failing = failing
        self.runs = 0

    def lane_bytes(self, cell):
        return cell.network.workers

    def prepare(self, cells, say):
        say("ready")

    def provenance(self):
        return {"kernel": "6.12 um"}

    def run(self, cells, report, stop, jobs):
        self.runs += 1
        for cell in cells:
            if self.failing:
                report(CellFailed(0, cell.id, "a worker died"))
            else:
                report(CellFinished(0, cell.id, self._document(cell)))

    def _document(self, cell):
        step_s = rows.expected(cell).total * self.slower
        return {
            "repetitions": [{"step_s": [step_s] * 10, "communicate_s": [step_s] * 10}],
            "probe": {
                "rtt_s": 1e-3,
                "rtt_expected_s": 1e-3,
                "goodput_bit_per_s": 1e8,
                "goodput_expected_bit_per_s": 1e8,
                "faithful": True,
                "saturated": False,
                "detail": [],
            },
            "bytes": {
                "declared_per_step": 100.0,
                "handed_per_step": 100.0,
                "socket_per_step": 110.0,
                "mpi_header_per_step": 10.0,
                "interface": {"total": 120.0, "unexplained": 0.0},
            },
        }


@pytest.fixture
def run(monkeypatch):
    def with_lab(lab, which="virtual", **options):
        monkeypatch.setattr(registry, "create", lambda name: lab)
        output = io.StringIO()
        status = fidelity.run(lab=which, quick=True, console=Console(file=output, width=250), **options)
        return status, output.getvalue()

    return with_lab


def test_all_met_is_zero(run):
    lab = ScriptedLab()
    status, text = run(lab)
    assert status == 0
    assert "all targets met" in text
    assert lab.runs == 3  # the grid, two orders


def test_labs_stand_beside_each_other(run, monkeypatch):
    lab = ScriptedLab()
    status, text = run(lab, which="host")
    assert status == 0
    assert "fidelity of the lab virtual and of the lab host: all targets met" in text
    links = [line for line in text.splitlines() if line.count("100 Mbit/s") and "faithful" in line]
    assert [line.split()[1] for line in links] == ["virtual", "host"]
    monkeypatch.setattr(registry, "lack", lambda name: None)
    assert "lab virtual and of the lab host" in run(ScriptedLab(), which="auto")[1]


def test_auto_says_why_a_lab_is_left_out(run, monkeypatch):
    monkeypatch.setattr(registry, "lack", lambda name: "lab host needs root")
    status, text = run(ScriptedLab(), which="auto")
    assert status == 0
    assert "the virtual lab alone: lab host needs root" in text


def test_a_miss_is_one_and_listed(run):
    status, text = run(ScriptedLab(slower=1.1))
    assert status == 1
    assert text.count("missed: Exchange against model") == 4
    assert "4 targets missed" in text


def test_cells_that_fail_are_misses(run):
    status, text = run(ScriptedLab(failing=True))
    assert status == 1
    assert "missed: not measured: a worker died" in text


def test_it_writes_only_when_asked(run, tmp_path):
    path = tmp_path / "fidelity.md"
    run(ScriptedLab())
    assert not path.exists()
    run(ScriptedLab(), write=path)
    text = path.read_text()
    assert text.startswith("# Fidelity\n")
    assert "the virtual lab on Linux 6.12 um." in text
    assert "All targets were met." in text
    assert "## Order independence" in text


def test_what_is_written_begins_with_the_misses(run, tmp_path):
    path = tmp_path / "fidelity.md"
    run(ScriptedLab(slower=1.1), write=path)
    assert path.read_text().split("##")[0].count("\n- Exchange against model") == 4


@pytest.mark.virtual
@pytest.mark.skipif(kernel.find() is None, reason="the virtual lab's kernel has not been built: make setup")
def test_the_virtual_lab_meets_its_targets():
    output = io.StringIO()
    status = fidelity.run("virtual", quick=True, jobs=1, console=Console(file=output, width=250))
    assert status == 0, output.getvalue()
