"""`gradwire figures`: run what each figure needs, or go on with it; then one index of all."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.text import Text

from testbed.errors import LabError, UserError
from testbed.measuring import Labs
from testbed.papers.figures import FIGURES, PaperFigure, chosen
from testbed.results import atomic, provenance

DONE, SOME_FAILED, INTERRUPTED = 0, 1, 130  # exit codes
TRAININGS: Final = Path("trainings")
SWEEPS: Final = Path("sweeps")


@dataclass(frozen=True, kw_only=True)
class Request:
    """What the user asked for."""

    names: Sequence[str] = ()  # of figures; none: all
    runs: Path = Path("runs")  # where the run folders are
    lab: str | None = None  # in the place of what the sweeps' files say
    jobs: int | None = None  # side by side: trials, or lanes; None: as many as are useful


def run_figures(request: Request, labs: Labs, console: Console) -> int:
    """Make figures, or go on with them; return the exit code. What stops one does not stop the others."""
    figures = chosen(request.names)
    if not TRAININGS.is_dir():
        raise UserError(f"there is no folder {TRAININGS} here: change to Gradwire's checkout, and run the same again")

    def say(text: str) -> None:
        console.print(Text(text), soft_wrap=True)

    failed = []
    for number, figure in enumerate(figures, 1):
        say(f"figure {figure.name} ({number} of {len(figures)})")
        status = _make(figure, request, labs, console, say)
        if status == INTERRUPTED:
            _say_index(request, say)
            say(f"go on with: {_command(request)}")
            return INTERRUPTED
        failed += [figure.name] * (status != DONE)
    _say_index(request, say)
    if failed:
        say(f"failed, in part or whole: {', '.join(failed)}")
    return SOME_FAILED if failed else DONE


def _make(figure: PaperFigure, request: Request, labs: Labs, console: Console, say: Callable[[str], None]) -> int:
    """Run the figure's sweep and training; the worst exit code."""
    worst = DONE
    try:
        if figure.sweep:
            worst = _sweep(figure, request, labs, console)
        if figure.training and worst != INTERRUPTED:
            worst = max(worst, _train(figure, request, console))
    except (UserError, LabError) as error:
        say(f"failed: {figure.name}: {error}")
        return SOME_FAILED
    return worst


def _sweep(figure: PaperFigure, request: Request, labs: Labs, console: Console) -> int:
    from testbed import sweep  # imports what a mistake need not wait for, as below

    file, run = SWEEPS / f"{figure.sweep}.yaml", request.runs / figure.sweep
    asked = sweep.Request(file=file, run=run, lab=request.lab, only=figure.only, jobs=request.jobs)
    return sweep.run_sweep(asked, labs, console)


def _train(figure: PaperFigure, request: Request, console: Console) -> int:
    from testbed.training import run

    file, times = TRAININGS / f"{figure.training}.yaml", request.runs / figure.sweep if figure.sweep else None
    asked = run.Request(file=file, run=request.runs / figure.training, times=times, jobs=request.jobs)
    return run.run_training(asked, console)


def write_index(runs: Path) -> Path:
    """Write the page of all figures, those that were not run too; LabError where the disk does not take it."""
    import pandas as pd

    import reports

    made = []
    for figure in FIGURES:
        run = runs / (figure.training or figure.sweep)
        table = run / "table.parquet"
        made.append(
            reports.Made(
                name=figure.name,
                trained=bool(figure.training),
                table=pd.read_parquet(table) if table.is_file() else None,
                figures=Path(run.name, "figures"),
                command=f"gradwire figures {figure.name}",
            )
        )
    try:
        return reports.write_figures(made, provenance.collect("figures of the papers", {}), runs)
    except OSError as error:
        raise atomic.not_written(Path(error.filename or runs), error) from error


def list_figures() -> list[str]:
    """A line for each figure: its name, what it is about, what it is made of."""
    from reports.pages import page_kinds

    titles = {kind.name: kind.title for attribute in ("PAGE", "TRAINING_PAGE") for kind in page_kinds(attribute)}
    lines = []
    for figure in FIGURES:
        sources = [f"{SWEEPS / figure.sweep}.yaml"] * bool(figure.sweep)
        sources += [f"{TRAININGS / figure.training}.yaml"] * bool(figure.training)
        lines.append(f"{figure.name}: {titles[figure.name]} ({', '.join(sources)})")
    return lines


def _say_index(request: Request, say: Callable[[str], None]) -> None:
    say(f"all figures: {write_index(request.runs)}")


def _command(request: Request) -> str:
    """The command that goes on with these figures."""
    words = ["gradwire", "figures", *request.names]
    words += [] if request.runs == Path("runs") else ["--runs", str(request.runs)]
    words += [] if request.lab is None else ["--lab", request.lab]
    words += [] if request.jobs is None else ["--jobs", str(request.jobs)]
    return shlex.join(words)
