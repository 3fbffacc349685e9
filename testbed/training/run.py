"""`gradwire train`: plan, train what is missing, then the table."""

from __future__ import annotations

import shlex
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.text import Text

from testbed.errors import UserError
from testbed.interruption import stopping_on_signals
from testbed.labs import registry
from testbed.measuring import Labs
from testbed.results import atomic, provenance
from testbed.specification.reading import SWEEP, parse, read_text
from testbed.sweep import Request as SweepRequest
from testbed.sweep import run_sweep
from testbed.training.folder import DIVERGED, ENDED, FAILED, OK, TrainingFolder
from testbed.training.networked import NetworkedSession
from testbed.training.plan import load_training
from testbed.training.session import Session
from testbed.training.side_by_side import SideBySide, jobs
from testbed.training.table import table
from testbed.training.times import EpochTimes
from testbed.training.trial import Trial, describe

DONE, SOME_FAILED, INTERRUPTED = 0, 1, 130  # exit codes

Say = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Request:
    """What the user asked for."""

    file: Path
    run: Path | None = None  # default: runs/NAME
    times: Path | None = None  # the run of a sweep, or its file, whose epoch times the losses are set against
    only: Sequence[str] = ()  # KEY=VALUE, of that sweep's cells
    jobs: int | None = None  # trials, or lanes of those with networks, side by side; None: as many as are useful


def run_training(request: Request, console: Console, labs: Labs = registry) -> int:
    """Run a training, or go on with one; return the exit code. UserError and LabError are one sentence each."""

    def say(text: str) -> None:
        console.print(Text(text), soft_wrap=True)

    if request.only and request.times is None:
        raise UserError("--only chooses cells of the run that --times names: give --times, or leave --only out")
    plan = load_training(request.file, lambda: labs.auto()[0])
    times = _epoch_times(request, labs, console)
    for warning in plan.warnings:
        say(f"warning: {warning}")
    folder = TrainingFolder(request.run or Path("runs") / plan.name)
    with folder.locked():
        folder.declare(plan.name, plan.text, plan.trials)
        to_do = [trial for trial in plan.trials if not folder.has_ended(trial)]
        say(f"{len(to_do)} trials to train, {len(plan.trials) - len(to_do)} ended before, in {folder.path}")
        for trial in plan.trials:
            if trial not in to_do:
                folder.remove_checkpoint(trial)  # of a process that was killed between its last two words
        _train(to_do, plan.name, folder, console, labs, request.jobs)
        statuses = {trial.id: _status(trial, folder) for trial in plan.trials}
        if times is not None:
            _join(times, plan.trials, folder, say)
        pages = make_figures(folder)
    ended = sum(status in ENDED for status in statuses.values())
    failed = sum(status == FAILED for status in statuses.values())
    if ended + failed < len(plan.trials):
        say(f"stopped; {ended} of {len(plan.trials)} trials are kept in {folder.path}, and where the others were")
        say(f"go on with: {_command(request, folder)}")
        return INTERRUPTED
    counts = [f"{sum(found == status for found in statuses.values())} {status}" for status in (OK, DIVERGED, FAILED)]
    say(f"{', '.join(counts)} of {len(plan.trials)} trials; table: {folder.table_path}")
    say(f"report: {folder.report_path}")
    say(f"figures: {pages[0]}")
    return SOME_FAILED if failed else DONE


def _epoch_times(request: Request, labs: Labs, console: Console) -> EpochTimes | None:
    """What the sweep measured that the request names; where that is a file, once what its run lacks was measured.

    KeyboardInterrupt where that was stopped.
    """
    run = request.times
    if run is None:
        return None
    if run.is_file():
        file = run
        run = Path("runs") / (parse(read_text(file), str(file), SWEEP).name or file.stem)
        sweep = SweepRequest(file=file, run=run, only=request.only, jobs=request.jobs)
        if run_sweep(sweep, labs, console) == INTERRUPTED:
            raise KeyboardInterrupt
    return EpochTimes.of_run(run, request.only)


def _train(
    trials: Sequence[Trial], name: str, folder: TrainingFolder, console: Console, labs: Labs, asked: int | None
) -> None:
    """Train those without a network, then those with one; until a signal comes."""
    if not trials:
        return
    facts = provenance.collect(name, {})
    number = folder.sessions.add(facts)
    stop = threading.Event()
    with stopping_on_signals(stop), console.status("") as status:

        def say(text: str) -> None:
            console.print(Text(text), soft_wrap=True)

        alone = [trial for trial in trials if trial.network is None]
        if (count := jobs(asked, alone)) > 1:
            SideBySide(folder, number, stop, say, status.update).train(alone, count)
        else:
            session = Session(folder, number, stop, say, status.update)
            for trial in alone:
                if not stop.is_set():
                    session.train(trial)
        on_networks = [trial for trial in trials if trial.network is not None]
        if on_networks and not stop.is_set():
            networked = NetworkedSession(folder, number, stop, say, status.update, labs)
            folder.sessions.replace({**facts, "labs": networked.train(on_networks, asked)})


def _status(trial: Trial, folder: TrainingFolder) -> str | None:
    """How a trial stands; None where it has not begun."""
    if folder.failure(trial) is not None:
        return FAILED
    record = folder.record(trial)
    return None if record is None else str(record["status"])


def _join(times: EpochTimes, trials: Sequence[Trial], folder: TrainingFolder, say: Say) -> None:
    """Keep what the sweep says of each trial that has begun, and say where it says nothing."""
    found = {}
    for trial in trials:
        record = folder.record(trial)
        if record is None or trial.network is not None:
            continue
        found[trial.id] = times.of(trial, record["steps_per_epoch"])
        if not found[trial.id]:
            say(f"warning: {describe(trial)}: {times.why_none(trial)}")
    folder.store_times({"run": str(times.run), "trials": found})


def make_figures(folder: TrainingFolder) -> list[Path]:
    """Write a training's table and, from it, its figures, pages and report.

    The paths of figures and pages, the index first. LabError where the disk does not take them.
    """
    import reports  # with matplotlib and pandas, which only this needs
    from reports.explorer import training_page
    from testbed.results.table import write_parquet

    frame = table(folder)
    write_parquet(frame, folder.table_path)
    facts = folder.sessions.read() or {"name": folder.path.name}
    atomic.write_bytes(folder.report_path, training_page(frame, facts).encode())
    try:
        return reports.write_training(frame, facts, folder.figures_path)
    except OSError as error:
        raise atomic.not_written(Path(error.filename or folder.figures_path), error) from error


def _command(request: Request, folder: TrainingFolder) -> str:
    """The command that goes on with this training."""
    words = ["gradwire", "train", str(request.file), "--run", str(folder.path)]
    words += [] if request.times is None else ["--times", str(request.times)]
    words += [word for text in request.only for word in ("--only", text)]
    return shlex.join(words if request.jobs is None else [*words, "--jobs", str(request.jobs)])
