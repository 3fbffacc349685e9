"""A sweep: plan, measure what is missing, then the table and the figures."""

from __future__ import annotations

import shlex
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from rich.console import Console
from rich.text import Text

from testbed.cell import Cell
from testbed.lanes import lanes
from testbed.measuring import Labs, Outcome, Say, Session, in_order
from testbed.progress import Tally, progress
from testbed.results import atomic
from testbed.results.run_folder import RunFolder
from testbed.specification import Plan, load_plan, select
from testbed.specification.catalogue import Catalogue, installed
from testbed.specification.delays import link_delay_s
from testbed.specification.wording import describe, describe_delays

if TYPE_CHECKING:
    import pandas as pd

DONE, SOME_FAILED, INTERRUPTED = 0, 1, 130  # exit codes
_SHOWN_OF_A_REASON: Final = 3  # cells named in the summary; all of them are in failed/


@dataclass(frozen=True, kw_only=True)
class Request:
    """What the user asked for."""

    file: Path
    run: Path | None = None  # default: runs/NAME
    lab: str | None = None  # in the place of what the file says
    containers: str | None = None  # in the place of what the file says
    only: Sequence[str] = ()  # KEY=VALUE
    jobs: int | None = None  # lanes side by side; default: one a core, as far as memory allows


def run_sweep(request: Request, labs: Labs, console: Console, complete: Catalogue = installed) -> int:
    """Run a sweep, or go on with one; return the exit code. UserError and LabError are one sentence each."""

    def say(text: str) -> None:
        console.print(Text(text), soft_wrap=True)

    plan = _plan(request, labs, complete, say)
    cells = select(plan.cells, request.only) if request.only else list(plan.cells)
    jobs = lanes(request.jobs, cells, labs.create)
    run = RunFolder(request.run or Path("runs") / plan.name)
    with run.locked():
        to_do = in_order(cell for cell in cells if not run.is_finished(cell))
        run.declare(plan.name, plan.text, plan.cells, [link_delay_s(cell.network) for cell in plan.cells])
        tally = Tally(to_do=len(to_do), skipped=len(cells) - len(to_do))
        say(f"{len(to_do)} cells to measure, {tally.skipped} finished before, in {run.path}")
        display = progress(console, {cell.id: describe(cell) for cell in to_do}, tally)
        outcome = Session(run, plan.name, labs, display).measure(to_do, jobs) if to_do else Outcome()
        left = [cell for cell in to_do if cell.id not in outcome.finished | outcome.failures.keys()]
        if outcome.interrupted and left:
            say(f"stopped; {len(cells) - len(left)} of {len(cells)} cells are kept in {run.path}")
            say(f"go on with: {_command(request, run)}")
            return INTERRUPTED
        _say_failures(to_do, outcome, left, say)
        _say_cut_short(to_do, outcome, say)
        pages = make_figures(run)
    say(f"{tally}; {outcome.rates()}")
    say(f"report: {run.report_path}")
    say(f"figures: {pages[0] if pages else run.figures_path}")
    return SOME_FAILED if outcome.failures or left else DONE


def make_figures(run: RunFolder) -> list[Path]:
    """Write a run's table and, from it, its figures, pages and report; the paths of figures and pages, the index first.

    LabError where the disk does not take them.
    """
    import reports  # with matplotlib and pandas, which only this needs
    from testbed.results.table import table, write_parquet

    frame = table(run)
    write_parquet(frame, run.table_path)
    write_report(run, frame)
    try:
        return reports.write(frame, _provenance(run), run.figures_path)
    except OSError as error:
        raise atomic.not_written(Path(error.filename or run.figures_path), error) from error


def write_report(run: RunFolder, frame: pd.DataFrame) -> None:
    """Write report.html of a run and its table, whole or not at all. LabError where the disk does not take it."""
    atomic.write_bytes(run.report_path, report_text(run, frame).encode())


def report_text(run: RunFolder, frame: pd.DataFrame, live: bool = False) -> str:
    """The report of a run and its table; a `live` one asks its server for what is new."""
    from reports.explorer import report_page

    cells = {cell.id: cell for cell in run.declared()}
    return report_page(frame, _provenance(run), lambda cell: run.trace(cells[cell]), live)


def _plan(request: Request, labs: Labs, complete: Catalogue, say: Say) -> Plan:
    """The plan, and what is worth knowing of it said. `auto` is decided once, and only where it is used."""
    chosen: list[str] = []

    def lab_when_auto() -> str:
        if not chosen:
            name, why = labs.auto()
            say(f"lab: {name} ({why})")
            chosen.append(name)
        return chosen[0]

    plan = load_plan(request.file, lab_when_auto, complete, lab=request.lab, containers=request.containers)
    for line in (*(f"warning: {text}" for text in plan.warnings), *describe_delays(plan.cells)):
        say(line)
    return plan


def _provenance(run: RunFolder) -> Mapping[str, Any]:
    return run.provenance() or {"name": run.path.name}


def _say_failures(cells: Sequence[Cell], outcome: Outcome, left: Sequence[Cell], say: Callable[[str], None]) -> None:
    """Failures by reason, most frequent first."""
    reasons: dict[str, list[str]] = defaultdict(list)
    for cell in cells:
        if cell.id in outcome.failures:
            reasons[outcome.failures[cell.id]].append(describe(cell))
    if left:
        reasons["the lab ended without a word on them"] = [describe(cell) for cell in left]
    for reason, names in sorted(reasons.items(), key=lambda item: -len(item[1])):
        more = f"; and {len(names) - _SHOWN_OF_A_REASON} more" if len(names) > _SHOWN_OF_A_REASON else ""
        say(f"{len(names)} failed: {reason}: {'; '.join(names[:_SHOWN_OF_A_REASON])}{more}")


def _say_cut_short(cells: Sequence[Cell], outcome: Outcome, say: Callable[[str], None]) -> None:
    """Cells that took too few steps to meet all of their schedule."""
    names = [describe(cell) for cell in cells if cell.id in outcome.cut_short]
    if names:
        more = f"; and {len(names) - _SHOWN_OF_A_REASON} more" if len(names) > _SHOWN_OF_A_REASON else ""
        say(
            f"warning: {len(names)} took too few steps for the whole schedule (column changes_missed): give more in "
            f"steps.measured: {'; '.join(names[:_SHOWN_OF_A_REASON])}{more}"
        )


def _command(request: Request, run: RunFolder) -> str:
    """The command that goes on with this sweep."""
    words = ["gradwire", "sweep", str(request.file), "--run", str(run.path)]
    words += [] if request.lab is None else ["--lab", request.lab]
    words += [] if request.containers is None else ["--containers", request.containers]
    words += [word for text in request.only for word in ("--only", text)]
    return shlex.join(words if request.jobs is None else [*words, "--jobs", str(request.jobs)])
