"""Containers of runs that are gone, found by Gradwire's own label.

Containers end with their session, and the engine removes them; what is found here, an engine left that was killed.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from containers import labels
from containers.engine import asking, connect
from containers.removal import remove
from testbed.errors import LabError


@dataclass(frozen=True)
class LeftContainer:
    """A container whose run is gone."""

    id: str
    name: str

    def remove(self) -> None:
        """Remove it, running or not; no error if it, or the engine, is gone."""
        with suppress(LabError):
            client = connect()
            try:
                remove(client, self.id)
            finally:
                client.close()


def find(is_owned: Callable[[Path], bool]) -> list[LeftContainer]:
    """Our containers whose run's spool folder has no living owner; none where no engine answers."""
    try:
        client = connect()
    except LabError:
        return []
    try:
        with asking("looking for containers"):
            found = client.api.containers(all=True, filters={"label": labels.SPOOL})
    except LabError:
        return []
    finally:
        client.close()
    return [
        LeftContainer(container["Id"], container["Names"][0].lstrip("/"))
        for container in found
        if not is_owned(Path(container["Labels"][labels.SPOOL]))
    ]
