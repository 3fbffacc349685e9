"""What options of several commands have in common."""

from __future__ import annotations

from pathlib import Path

import click

from testbed.labs import registry as labs

FOLDER = click.Path(path_type=Path, file_okay=False)
LAB = click.Choice(["auto", *labs.names()])
CONTAINERS = click.Choice(["none", "docker"])
