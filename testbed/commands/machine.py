"""Commands about this machine, and what a sweep may name."""

from __future__ import annotations

from pathlib import Path

import click

from testbed.commands.options import LAB


@click.command()
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


@click.command()
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


@click.command()
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


@click.command()
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


@click.command()
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


@click.command()
@click.option("--kind", type=click.Choice(["sweep", "training"]), default="sweep", show_default=True, help="Of file.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["json", "markdown"]),
    default="json",
    show_default=True,
    help="A JSON schema for editors, or a table of the keys.",
)
@click.option(
    "--write",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the table between the marks of this Markdown page, in place of printing it.",
)
def schema(kind: str, form: str, write: Path | None) -> None:
    """Print what a sweep file, or a training file, may say.

    \b
    Examples:
      gradwire schema > docs/sweep.schema.json
      gradwire schema --kind training --format markdown
    """
    from testbed import marked_text
    from testbed.specification.schema import schema_text

    if write is None:
        click.echo(schema_text(kind, form), nl=False)
        return
    marked_text.replace(write, "keys", schema_text(kind, "markdown"))
    click.echo(f"keys: {write}")
