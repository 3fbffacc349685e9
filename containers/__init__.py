"""Docker containers as the hosts of workers. The whole way in is here; Docker is imported where it is used only."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from containers.abandoned import LeftContainer

if TYPE_CHECKING:
    from containers.docker_hosts import DockerHosts
    from testbed.cell import Cell, Hosting

__all__ = ["LeftContainer", "await_end_of", "hosts", "leftovers", "prepare"]


def prepare(cells: Sequence[Cell], say: Callable[[str], None]) -> dict[str, Any]:
    """Check that an engine can run the cells' containers, and make its image; what a reader wants to know of both.

    UserError where the engine, an image, a limit or a GPU is not to be had.
    """
    from containers import preparation

    return preparation.prepare(cells, say)


def hosts(hosting: Hosting, *, spool: Path, folder: Path, native: Path, environment: Mapping[str, str]) -> DockerHosts:
    """Hosts of one network, not yet started; see DockerHosts."""
    from containers.docker_hosts import DockerHosts

    return DockerHosts(hosting, spool=spool, folder=folder, native=native, environment=environment)


def await_end_of(spool: Path) -> None:
    """Wait until the containers of a run are gone whose session has ended; see containers.removal."""
    from containers import removal

    removal.await_end_of(spool)


def leftovers(is_owned: Callable[[Path], bool]) -> list[LeftContainer]:
    """Containers of runs that are gone; see containers.abandoned."""
    from containers import abandoned

    return abandoned.find(is_owned)
