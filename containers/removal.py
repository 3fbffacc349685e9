"""Waiting until the engine has removed containers that have ended or are about to."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from containers import labels
from containers.engine import asking, connect
from testbed.errors import LabError

if TYPE_CHECKING:
    from docker import DockerClient

GONE_WITHIN_S = 10.0
LOOK_EVERY_S = 0.02


def await_removal(client: DockerClient, label: str, value: str) -> None:
    """Wait until no container has that label and value; remove those that are there after a while. LabError."""
    deadline_s = time.monotonic() + GONE_WITHIN_S
    while left := _with(client, f"{label}={value}"):
        if time.monotonic() > deadline_s:
            for container in left:
                remove(client, container["Id"])
            return
        time.sleep(LOOK_EVERY_S)


def remove(client: DockerClient, container_id: str) -> None:
    """Remove a container, running or not; no error if it is gone. LabError."""
    import docker.errors

    with asking("removing containers"), suppress(docker.errors.NotFound):
        client.api.remove_container(container_id, force=True, v=True)


def await_end_of(spool: Path) -> None:
    """Wait until all containers of a run's session, which has ended, are gone; at once where no engine answers."""
    with suppress(LabError):
        client = connect()
        try:
            await_removal(client, labels.SPOOL, str(spool))
        finally:
            client.close()


def _with(client: DockerClient, label: str) -> list[dict[str, Any]]:
    with asking("looking for containers"):
        found: list[dict[str, Any]] = client.api.containers(all=True, filters={"label": label})
    return found
