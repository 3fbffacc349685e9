"""The Docker engine that answers: found as Docker's own programs find it, its faults as one sentence each."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from testbed.errors import LabError

if TYPE_CHECKING:
    from docker import DockerClient

ADDRESS_VARIABLE = "DOCKER_HOST"
USUAL_SOCKET = Path("/var/run/docker.sock")
TIMEOUT_S = 30.0  # of one request: an engine that is stuck counts as one that does not answer
_SCHEME = "unix://"


def address() -> str:
    """Where the engine is asked for: $DOCKER_HOST, else Docker's usual socket."""
    return os.environ.get(ADDRESS_VARIABLE) or f"{_SCHEME}{USUAL_SOCKET}"


def socket_path() -> Path | None:
    """The engine's Unix socket; None for an engine that is somewhere else."""
    return Path(address().removeprefix(_SCHEME)) if address().startswith(_SCHEME) else None


def connect(most_at_once: int = 10) -> DockerClient:
    """A client of the engine, for as many threads as `most_at_once`.

    Raises:
        LabError: no engine answers, or it is not on this machine.
    """
    path = socket_path()
    if path is None:
        raise LabError(
            f"{ADDRESS_VARIABLE} is {address()}: containers share folders and network namespaces with this machine, so "
            "the engine must be on it; give a Unix socket, such as unix:///var/run/docker.sock"
        )
    _knock(path)
    import docker  # a quarter of a second, which only containers need

    with asking("connecting"):
        return docker.DockerClient(
            base_url=address(), version="auto", timeout=int(TIMEOUT_S), max_pool_size=most_at_once
        )


def _knock(path: Path) -> None:
    """LabError where nobody listens: the client would leave a socket open when it finds that out."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(TIMEOUT_S)
        try:
            connection.connect(str(path))
        except OSError as error:
            raise _no_answer(error.strerror or str(error)) from error


def _no_answer(why: str) -> LabError:
    return LabError(
        f"no Docker engine answers at {address()} ({why}): start one, set {ADDRESS_VARIABLE} to the socket of one, or "
        "use containers: none"
    )


@contextmanager
def asking(doing: str) -> Iterator[None]:
    """Turn what goes wrong with the engine into a LabError; `doing` says what was asked of it."""
    import docker.errors
    import requests.exceptions

    try:
        yield
    except docker.errors.APIError as error:
        said = " ".join(str(error.explanation or error).split())
        raise LabError(f"{doing} failed, the Docker engine says: {said}") from error
    except (docker.errors.DockerException, requests.exceptions.RequestException, OSError) as error:
        raise _no_answer(doing) from error


def facts(client: DockerClient) -> dict[str, Any]:
    """What a reader wants to know of an engine: version, control groups, storage."""
    with asking("asking what it is"):
        info = client.info()
    return {
        "engine": f"Docker {info['ServerVersion']}",
        "cgroup_version": int(info.get("CgroupVersion", "1")),
        "cgroup_driver": info["CgroupDriver"],
        "storage_driver": info["Driver"],
    }
