"""What the Docker engine says of itself."""

from __future__ import annotations

from dataclasses import dataclass

from testbed.errors import LabError

_ANSWER_WITHIN_S = 5


@dataclass(frozen=True, kw_only=True)
class Engine:
    """A Docker engine that answers."""

    version: str
    cgroup_version: str
    storage_driver: str
    runtimes: tuple[str, ...]  # what containers can be run by, by name
    devices: tuple[str, ...]  # what they can be given, as the engine found it (CDI): nvidia.com/gpu=0


def ask() -> Engine:
    """The engine that the environment names (DOCKER_HOST, else this machine's own); LabError if none answers."""
    import docker  # with an HTTP client, which only this needs
    from docker.errors import DockerException

    try:
        client = docker.from_env(timeout=_ANSWER_WITHIN_S)
        try:
            info = client.info()
        finally:
            client.close()
    except (DockerException, OSError) as error:
        raise LabError(f"no Docker engine answers: {_innermost(error)}") from error
    return Engine(
        version=info.get("ServerVersion", "unknown"),
        cgroup_version=info.get("CgroupVersion", "1"),
        storage_driver=info.get("Driver", "unknown"),
        runtimes=tuple(sorted(info.get("Runtimes") or ())),
        devices=tuple(device["ID"] for device in info.get("DiscoveredDevices") or ()),
    )


def _innermost(error: BaseException) -> str:
    """What was wrong at first: the client wraps it several times, each time with all of the words."""
    while (cause := error.__cause__ or error.__context__) is not None:
        error = cause
    return getattr(error, "strerror", None) or str(error)
