"""Before a sweep starts: whether the Docker engine can run its cells' containers, and what it runs them with."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from containers import gpus, image
from containers.engine import asking, connect, facts
from testbed.cell import Cell, Containers
from testbed.errors import LabError, UserError

if TYPE_CHECKING:
    from docker import DockerClient


def prepare(cells: Sequence[Cell], say: Callable[[str], None]) -> dict[str, Any]:
    """See containers.prepare. Empty where no cell asks for containers."""
    choices = list(dict.fromkeys(cell.containers for cell in cells if cell.containers is not None))
    if not choices:
        return {}
    try:
        client = connect()
    except LabError as error:  # here it is something that a person can change before anything has started
        raise UserError(str(error)) from error
    try:
        with asking("asking what it is"):
            info = client.info()
        for choice in choices:
            _check_limits(choice, info)
        shared = _share_gpus(cells, info)
        return {**facts(client), "kinds": [_kind(client, choice, say) for choice in choices], **shared}
    finally:
        client.close()


def _check_limits(choice: Containers, info: Mapping[str, Any]) -> None:
    if choice.cpus is not None and choice.cpus > info["NCPU"]:
        raise UserError(f"containers.cpus is {choice.cpus:g}: this machine has {info['NCPU']}; give at most that")
    if choice.memory_bytes is not None and choice.memory_bytes > info["MemTotal"]:
        asked_mb, there_mb = choice.memory_bytes / 1e6, info["MemTotal"] / 1e6
        raise UserError(f"containers.memory is {asked_mb:.0f} MB: this machine has {there_mb:.0f} MB; give less")


def _share_gpus(cells: Sequence[Cell], info: Mapping[str, Any]) -> dict[str, Any]:
    workers = [cell.network.workers for cell in cells if cell.hosting.gpus]
    if not workers:
        return {}
    count = gpus.installed()
    gpus.check(info, count)
    return {"gpus": gpus.sharing(max(workers), count)}


def _kind(client: DockerClient, choice: Containers, say: Callable[[str], None]) -> dict[str, Any]:
    """What a kind of container is: image, by its content, and limits."""
    if choice.image is None:
        name = image.ensure(client, say)
    else:
        name = choice.image
        image.require(client, name)
    return {
        "image": name,
        "image_id": image.identity(client, name),
        "cpus": choice.cpus,
        "memory_bytes": choice.memory_bytes,
    }
