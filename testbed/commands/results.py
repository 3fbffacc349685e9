"""Commands that read what was measured."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from testbed.commands.options import FOLDER
from testbed.errors import UserError


@click.command()
@click.argument("folder", metavar="DIR", type=FOLDER)
def report(folder: Path) -> None:
    """Make the report, the table and the figures of a run again, or of a training.

    DIR/report.html is one file that needs no network: the run's answers, and every view of its cells or trials.

    \b
    Example:
      gradwire report runs/default
    """
    from testbed.remaking import remake_figures

    figures, page = remake_figures(folder)
    click.echo(f"report: {page}")
    click.echo(f"figures: {figures}")


@click.command()
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


@click.command()
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


@click.command()
@click.argument("folder", metavar="DIR", type=FOLDER)
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8470, show_default=True, help="Of 127.0.0.1; 0: any free one."
)
def watch(folder: Path, port: int) -> None:
    """Show the report of a run in a browser while its sweep runs, to this machine alone.

    Cells appear on the page as they end. Ctrl-C ends it (exit code 0), and the sweep goes on.

    \b
    Example:
      gradwire watch runs/default
    """
    from testbed.watching.command import serve

    serve(folder, port, click.echo)
