"""Two runs of sweeps, compared: read, told as text, Markdown, CSV or a page, and judged for a check."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from testbed.errors import UserError
from testbed.results import atomic
from testbed.results.run_folder import RunFolder

if TYPE_CHECKING:
    from reports.comparison import Comparison

PASSES, FAILS = 0, 3  # exit codes; 1 and 2 are faults and mistakes
_PERCENTAGE: Final = re.compile(r"\s*(\d+\.?\d*|\.\d+)\s*%\s*")


def share(text: str) -> float:
    """The share that a percentage of `--fail-if-slower` is. UserError for what is none."""
    match = _PERCENTAGE.fullmatch(text)
    value = float(match.group(1)) / 100 if match else math.nan
    if not math.isfinite(value):
        raise UserError(f"--fail-if-slower {text!r} is not a percentage of at least 0 %: write, say, 5%")
    return value


def compare_runs(a: Path, b: Path) -> Comparison:
    """The comparison of the run in folder `b` with that in folder `a`.

    UserError for folders that hold nothing to compare; LabError for a damaged or a newer document.
    """
    runs = [_sweep(a), _sweep(b)]
    if a.resolve() == b.resolve():
        raise UserError(f"{a} and {b} are the same run: give two")
    from reports.comparison import Side, compare  # with pandas and scipy, which a mistake need not wait for
    from testbed.results.table import table

    side_a, side_b = (
        Side(name=str(path), table=table(run), provenance=run.provenance())
        for path, run in zip((a, b), runs, strict=True)
    )
    return compare(side_a, side_b)


def write_page(comparison: Comparison, path: Path, bound: float | None) -> None:
    """Write the comparison as one self-contained HTML file, whole or not at all."""
    from reports.comparison import page

    if not path.parent.is_dir():
        raise UserError(f"--html {path}: the folder {path.parent} does not exist; make it, or give another file")
    atomic.write_bytes(path, page(comparison, bound).encode())


def _sweep(folder: Path) -> RunFolder:
    if (folder / "trials.json").is_file():
        raise UserError(f"{folder} holds a training: compare takes runs of sweeps, which `gradwire sweep` makes")
    return RunFolder.existing(folder)
