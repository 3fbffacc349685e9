"""The command that draws figures for papers."""

from __future__ import annotations

from pathlib import Path

import click

from testbed.commands.options import FOLDER

_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command()
@click.argument("name")
@click.option("--run", type=FOLDER, required=True, metavar="DIR", help="The run folder that it is made of.")
@click.option("--format", "kind", type=click.Choice(["pdf", "svg", "png"]), help="[default: pdf, or as --output ends]")
@click.option(
    "--width", default="column", show_default=True, help="A venue's, such as icml-column or neurips-text, or inches."
)
@click.option("--only", multiple=True, metavar="KEY=VALUE", help="Only the cells with this value; repeatable.")
@click.option("--output", type=_FILE, help="The file.  [default: NAME.pdf, here]")
@click.option("--csv", type=_FILE, help="Write every number of the figure too.")
def figure(
    name: str, run: Path, kind: str | None, width: str, only: tuple[str, ...], output: Path | None, csv: Path | None
) -> None:
    """Draw one figure of a run for a paper: epoch-bandwidth, speedup-latency, fastest, where-the-time-goes, …

    \b
    Examples:
      gradwire figure epoch-bandwidth --run runs/default --only topology=star --only workers=8
      gradwire figure fastest --run runs/smoke --format svg --width neurips-text --csv fastest.csv
    """
    from testbed.paper_figure import draw, write

    drawn = draw(run, name, width, only)
    for path in write(drawn, name, kind, output, csv):
        click.echo(f"figure: {path}" if path != csv else f"numbers: {path}")
    click.echo(f"caption: {drawn.caption}.")
