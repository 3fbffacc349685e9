"""A lab that follows a script instead of emulating; run as a program, a sweep in it that can be killed."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from testbed.cell import Cell
from testbed.errors import LabError, UserError
from testbed.labs.lab import CellFailed, CellFinished, CellProgress, CellStarted, Event, Note
from testbed.sweep import Request, run_sweep

MEAN_STEP_S = {"allreduce": 2.0, "d-psgd": 1.0}


def measurement(cell: Cell) -> dict[str, Any]:
    """A cell document as a lab makes it: three repetitions, whose means differ by a tenth of a second."""
    step_s = MEAN_STEP_S.get(cell.algorithm, 0.5)
    repetitions = [
        {
            "step_s": [step_s + 0.1 * number] * cell.steps.measured,
            **{f"{part}_s": [0.01] * cell.steps.measured for part in ("compute", "encode", "decode", "apply")},
            "communicate_s": [step_s + 0.1 * number - 0.04] * cell.steps.measured,
        }
        for number in (-1, 0, 1)
    ]
    per_step = ("declared", "handed", "socket", "mpi_header", "wire")
    return {
        "repetitions": repetitions,
        "warmup": {"steps": 6, "settled": True},
        "bytes": {f"{kind}_per_step": 1000 for kind in per_step} | {"interface": {"unexplained": 0}},
        "probe": {"rtt_s": 1e-3, "rtt_expected_s": 1e-3, "goodput_bit_per_s": 4.7e6,
                  "goodput_expected_bit_per_s": 4.8e6, "faithful": True, "detail": []},
        "workload": {"dataset": "fashion-mnist", "samples": 60000, "parameters": 269722,
                     "gradients": "recorded"},
        "profile": {"device": cell.device, "kind": "estimated", "digest": ""},
        "emulated_s": 60.0, "wall_s": 0.1, "lane": 0,
    }  # fmt: skip


class ScriptedLab:
    """Reports what `script` says of a cell: a measurement, or the reason of a failure."""

    name = "virtual"

    def __init__(self, script: Callable[[Cell], dict[str, Any] | str] = measurement) -> None:
        self.script = script
        self.measured: list[Cell] = []

    def create(self, name: str) -> ScriptedLab:
        assert name == self.name
        return self

    def auto(self) -> tuple[str, str]:
        return self.name, "it follows a script"

    def prepare(self, cells: Sequence[Cell], say: Callable[[str], None]) -> None:
        say(f"prepared for {len(cells)} cells")

    def lane_bytes(self, cell: Cell) -> int:
        return cell.network.workers * 10**9 * (2 if cell.computes else 1)

    def provenance(self) -> dict[str, Any]:
        return {"kernel": "6.12 um"} if self.measured else {}  # as labs do: what runs in them says so

    def run(self, cells: Sequence[Cell], report: Callable[[Event], None], stop: threading.Event, jobs: int) -> None:
        report(Note(0, "starting a guest"))
        for cell in cells:
            if stop.is_set():
                return
            report(CellStarted(0, cell.id))
            report(CellProgress(0, cell.id, 3, "warm-up"))
            self.measured.append(cell)
            result = self.script(cell)
            if stop.is_set():
                return
            if isinstance(result, str):
                report(CellFailed(0, cell.id, result))
            else:
                report(CellFinished(0, cell.id, result))


class HangingLab(ScriptedLab):
    """Measures `whole` cells, then hangs in one until it is told to stop, and says so in a file."""

    def __init__(self, whole: int, sign: Path) -> None:
        super().__init__()
        self.whole, self.sign = whole, sign

    def run(self, cells: Sequence[Cell], report: Callable[[Event], None], stop: threading.Event, jobs: int) -> None:
        def script(cell: Cell) -> dict[str, Any]:
            if len(self.measured) > self.whole:
                self.sign.write_text("hanging")
                stop.wait()
            return measurement(cell)

        self.script = script
        super().run(cells, report, stop, jobs)


def program(file: str, run: str, whole: str) -> int:
    """`scripted_sweep.py FILE RUN WHOLE`: hangs after WHOLE cells; the sign is RUN.hanging."""
    lab = HangingLab(int(whole), Path(f"{run}.hanging"))
    request = Request(file=Path(file), run=Path(run), jobs=1)
    try:
        return run_sweep(request, lab, Console(), complete=lambda cell: cell)
    except (UserError, LabError) as error:
        print(error, file=sys.stderr)
        return 1 if isinstance(error, LabError) else 2


if __name__ == "__main__":
    os.environ.setdefault("MPLBACKEND", "agg")
    sys.exit(program(*sys.argv[1:]))
