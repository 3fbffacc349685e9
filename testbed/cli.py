"""The command line. What a command needs is imported inside it, so that `gradwire --help` answers at once."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from testbed.errors import LabError, UserError
from testbed.labs import registry as labs

FAULT, MISTAKE, INTERRUPTED = 1, 2, 130  # exit codes
FOLDER = click.Path(path_type=Path, file_okay=False)
LAB = click.Choice(["auto", *labs.names()])
CONTAINERS = click.Choice(["none", "docker"])


def main() -> None:
    """The console script: a mistake or a fault is one line on stderr, never a traceback."""
    try:
        status = cli.main(prog_name="gradwire", standalone_mode=False) or 0
        sys.stdout.flush()  # here, where a full disk can still be told
        sys.exit(status)
    except click.ClickException as error:
        error.show()
        sys.exit(MISTAKE)
    except UserError as error:
        _complain(error, MISTAKE)
    except LabError as error:
        _complain(error, FAULT)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(INTERRUPTED)
    except BrokenPipeError:  # the reader of our output (head, say) has seen enough
        _give_up_output()
        sys.exit(FAULT)
    except OSError as error:  # a full disk, a folder that is not ours: its text says which
        _give_up_output()
        _complain(error, FAULT)


def _give_up_output() -> None:
    """Let nobody's output fail a second time, in the interpreter's own flush when it ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _complain(error: Exception, code: int) -> None:
    click.echo(f"gradwire: {error}", err=True)
    sys.exit(code)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="gradwire")
def cli() -> None:
    """How fast does this algorithm train on that network? Measured, on one machine.

    \b
    Example:
      gradwire sweep sweeps/smoke.yaml
    """


@cli.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--run", type=FOLDER, help="Folder of the results.  [default: runs/NAME]")
@click.option("--lab", type=LAB, help="Where the networks are emulated, in the place of what FILE says.")
@click.option("--containers", type=CONTAINERS, help="What workers of lab host run in, in the place of what FILE says.")
@click.option("--only", multiple=True, metavar="KEY=VALUE", help="Only the cells with this value; repeatable.")
@click.option("--jobs", type=int, help="Lanes side by side.  [default: one a core, as memory allows]")
def sweep(
    file: Path, run: Path | None, lab: str | None, containers: str | None, only: tuple[str, ...], jobs: int | None
) -> int:
    """Measure a sweep FILE, or go on with it.

    \b
    Examples:
      gradwire sweep sweeps/default.yaml
      gradwire sweep sweeps/default.yaml --only topology=star --only bandwidth='5 Mbit/s'
    """
    from rich.console import Console

    from testbed.sweep import Request, run_sweep

    request = Request(file=file, run=run, lab=lab, containers=containers, only=only, jobs=jobs)
    return run_sweep(request, labs, Console(highlight=False))


@cli.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--run", type=FOLDER, help="Folder of the records.  [default: runs/NAME]")
@click.option(
    "--times",
    type=click.Path(path_type=Path),
    metavar="RUN",
    help="A sweep's run, or its file, which is run first: losses against its epochs' emulated time.",
)
@click.option("--only", multiple=True, metavar="KEY=VALUE", help="Only the cells of RUN with this value; repeatable.")
@click.option(
    "--jobs",
    type=click.IntRange(min=1),
    help="Trials, or lanes, side by side.  [default: one a core, as memory allows]",
)
def train(file: Path, run: Path | None, times: Path | None, only: tuple[str, ...], jobs: int | None) -> int:
    """Train what a training FILE declares, in this process or over a network, or go on with it.

    \b
    Examples:
      gradwire train trainings/smoke.yaml
      gradwire train trainings/smoke.yaml --times runs/smoke --only bandwidth='5 Mbit/s'
      gradwire train trainings/composed-direct.yaml --times sweeps/composed-direct.yaml
    """
    from rich.console import Console

    from testbed.training.run import Request, run_training

    request = Request(file=file, run=run, times=times, only=only, jobs=jobs)
    return run_training(request, Console(highlight=False))


@cli.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--list", "listing", is_flag=True, help="Say which there are, and run nothing.")
@click.option("--runs", type=FOLDER, default="runs", show_default=True, help="Folder of the run folders and the index.")
@click.option("--lab", type=LAB, help="Where sweeps' networks are emulated, in the place of what their files say.")
@click.option("--jobs", type=click.IntRange(min=1), help="Trials, or lanes, side by side.  [default: one a core]")
def figures(names: tuple[str, ...], listing: bool, runs: Path, lab: str | None, jobs: int | None) -> int:
    """Make the figures of the papers again, or those named, or go on with them; one page has all verdicts.

    \b
    Examples:
      gradwire figures --list
      gradwire figures tang2018-figure1
    """
    from testbed.papers.run import Request, list_figures, run_figures

    if listing:
        click.echo("\n".join(list_figures()))
        return 0
    from rich.console import Console

    request = Request(names=names, runs=runs, lab=lab, jobs=jobs)
    return run_figures(request, labs, Console(highlight=False))


@cli.command()
@click.argument("folder", metavar="DIR", type=FOLDER)
def report(folder: Path) -> None:
    """Make the figures of a run again, or of a training.

    \b
    Example:
      gradwire report runs/default
    """
    from testbed.remaking import remake_figures

    click.echo(f"figures: {remake_figures(folder)}")


@cli.command()
@click.argument("folder", metavar="DIR", type=FOLDER)
@click.option("--format", "kind", type=click.Choice(["csv", "parquet", "markdown"]), default="csv", show_default=True)
def table(folder: Path, kind: str) -> None:
    """Print the table of a run: a row a cell, or of a training a row an epoch.

    \b
    Examples:
      gradwire table runs/default > cells.csv
      gradwire table runs/default --format parquet > cells.parquet
    """
    from testbed.remaking import export_table

    if kind == "parquet" and sys.stdout.isatty():
        raise UserError("format parquet is not for a terminal: redirect it, as in `> cells.parquet`")
    sys.stdout.buffer.write(export_table(folder, kind))


@cli.command()
@click.argument("folder", metavar="RUN", type=FOLDER)
@click.argument("cell", required=False)
@click.option("--only", multiple=True, metavar="KEY=VALUE", help="The cell with this value; repeatable.")
@click.option(
    "--output", type=click.Path(path_type=Path, dir_okay=False), help="The file.  [default: ID.trace.json, here]"
)
def trace(folder: Path, cell: str | None, only: tuple[str, ...], output: Path | None) -> None:
    """Write the time line of one cell, for Perfetto or chrome://tracing.

    CELL is its id, or the beginning of it: compute, encode, send, wait, decode, apply of every worker, in the last
    steps that were measured.

    \b
    Examples:
      gradwire trace runs/default 3f9c
      gradwire trace runs/smoke --only bandwidth='5 Mbit/s' --only latency='20 ms' --only algorithm=allreduce
    """
    from testbed.results.run_folder import RunFolder

    run = RunFolder.existing(folder)
    from testbed.tracing import write_trace  # imports the specification, which a mistake need not wait for

    click.echo(f"trace: {write_trace(run, cell, only, output)} (https://ui.perfetto.dev opens it)")


@cli.command()
@click.option("--json", is_flag=True, help="One JSON document, for programs.")
@click.option("--fix", is_flag=True, help="Repair what is safe to repair.")
def doctor(json: bool, fix: bool) -> int:
    """Check what sweeps need here, lab by lab; the exit status is 0 where at least one lab works.

    \b
    Examples:
      gradwire doctor --fix
      gradwire doctor --json
    """
    from testbed.doctor import run

    return run(json=json, fix=fix)


@cli.command()
@click.option("--lab", type=LAB, default="auto", show_default=True, help="Where the networks are emulated.")
@click.option("--quick", is_flag=True, help="A few of the networks: a check in minutes.")
@click.option("--jobs", type=click.IntRange(min=1), help="Guests side by side.  [default: one per core]")
@click.option(
    "--write", type=click.Path(path_type=Path, dir_okay=False), help="Write the tables to a Markdown file too."
)
def fidelity(lab: str, quick: bool, jobs: int | None, write: Path | None) -> int:
    """Measure known networks beside the model, lab beside lab.

    \b
    Example:
      gradwire fidelity --lab virtual --quick
    """
    from testbed.fidelity import run

    return run(lab=lab, quick=quick, jobs=jobs, write=write)


@cli.command()
@click.option("--device", default="cpu", show_default=True, help="cpu or cuda.")
@click.option("--workload", "workloads", multiple=True, default=["resnet20"], show_default=True, help="Repeatable.")
@click.option("--batch-size", default=128, show_default=True, help="Samples of a step.")
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="YAML file of the profile.  [default: in the cache, where a sweep finds it by the device's name]",
)
def profile(device: str, workloads: tuple[str, ...], batch_size: int, output: Path | None) -> None:
    """Measure the compute times of a device.

    \b
    Examples:
      gradwire profile
      gradwire profile --device cuda --output h100.yaml
    """
    from testbed.profiles.measure import measure_profile

    path = measure_profile(workloads=workloads, batch_size=batch_size, device=device, output=output, say=click.echo)
    click.echo(f"profile: {path}")


@cli.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
def data(names: tuple[str, ...]) -> None:
    """Fetch the data sets of workloads, or those named, where the papers' own are absent.

    \b
    Examples:
      gradwire data
      gradwire data mnist
    """
    from testbed.workloads.data.fetching import fetch

    fetch(names, lambda line: click.echo(f"data: {line}"))


@cli.command()
def clean() -> None:
    """Remove what killed runs left behind.

    \b
    Example:
      gradwire clean
    """
    from testbed.clean import reap

    removed = reap()
    for thing in removed:
        click.echo(f"removed {thing}")
    click.echo(f"{len(removed)} leftovers removed")


@cli.command()
def schema() -> None:
    """Print the sweep file's JSON schema.

    \b
    Example:
      gradwire schema > docs/sweep.schema.json
    """
    from testbed.specification.schema import schema_text

    click.echo(schema_text(), nl=False)
