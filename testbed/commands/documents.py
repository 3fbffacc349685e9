"""Commands that make text of what was measured, or of what files may say."""

from __future__ import annotations

from pathlib import Path

import click

from testbed.commands.options import FOLDER

PAGE = click.Path(path_type=Path, dir_okay=False)


@click.command()
@click.argument("run", metavar="RUN", type=FOLDER)
@click.option("--quality", type=FOLDER, metavar="TRAINING", help="A training's folder: what each algorithm reaches.")
@click.option("--write", type=PAGE, help="Write it between the marks of this Markdown page, in place of printing it.")
def guide(run: Path, quality: Path | None, write: Path | None) -> None:
    """Say which algorithm is fastest on which network, in Markdown, from a RUN's own measurements.

    \b
    Examples:
      gradwire guide runs/default
      gradwire guide runs/default --quality runs/quality --write docs/which-algorithm.md
    """
    from testbed import guiding

    texts = guiding.texts(run, quality)
    if write is None:
        click.echo("\n".join(texts.values()), nl=False)
        return
    guiding.write(write, texts)
    click.echo(f"guide: {write}")
