"""A Mininet host whose network namespace is a container's."""

from __future__ import annotations

from typing import Any

from topologies.nodes import WorkerHost


class DockerHost(WorkerHost):
    """A worker's host in a container that has no network but what is wired to it here.

    Mininet's shell enters the container's network namespace and nothing else of it, so the machine's own `ip` and `tc`
    work there, and the image needs neither.
    """

    def __init__(self, name: str, *, namespace: int, **params: Any) -> None:
        """`namespace`: descriptor of the container's network namespace; it may be closed when the shell has started."""
        self._namespace = namespace
        super().__init__(name, **params)

    @property
    def namespace_descriptor(self) -> int | None:
        """The container's network namespace."""
        return self._namespace
