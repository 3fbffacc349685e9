"""Commands that measure or train."""

from __future__ import annotations

from pathlib import Path

import click

from testbed.commands.options import CONTAINERS, FOLDER, LAB
from testbed.labs import registry as labs


@click.command()
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


@click.command()
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


@click.command()
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
