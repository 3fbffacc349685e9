"""The command that compares runs."""

from __future__ import annotations

from pathlib import Path

import click

from testbed.commands.options import FOLDER


@click.command()
@click.argument("run_a", metavar="RUN_A", type=FOLDER)
@click.argument("run_b", metavar="RUN_B", type=FOLDER)
@click.option(
    "--fail-if-slower",
    "bound",
    metavar="PERCENT",
    help="Exit with 3 where a cell of RUN_B is slower by more, beyond noise, or has no valid result any more.",
)
@click.option("--html", type=click.Path(path_type=Path, dir_okay=False), help="Write a self-contained page too.")
@click.option(
    "--format",
    "kind",
    type=click.Choice(["text", "markdown", "csv"]),
    default="text",
    show_default=True,
    help="What is printed: markdown for a comment on a pull request, csv for every number.",
)
def compare(run_a: Path, run_b: Path, bound: str | None, html: Path | None, kind: str) -> int:
    """Say what became faster or slower from RUN_A to RUN_B, beyond noise.

    \b
    Examples:
      gradwire compare runs/before runs/after
      gradwire compare runs/before runs/after --fail-if-slower 5% --format markdown
    """
    from testbed.comparing import FAILS, PASSES, compare_runs, share, write_page

    share_of_bound = None if bound is None else share(bound)
    comparison = compare_runs(run_a, run_b)
    if html is not None:
        write_page(comparison, html, share_of_bound)
    from reports.comparison import csv_text, markdown, print_comparison

    if kind == "text":
        from rich.console import Console

        print_comparison(Console(highlight=False), comparison, share_of_bound)
    else:
        text = csv_text(comparison) if kind == "csv" else markdown(comparison, share_of_bound)
        click.echo(text, nl=False)
    return FAILS if share_of_bound is not None and comparison.fails(share_of_bound) else PASSES
