"""What the workers of a network live in: namespaces, here, or containers (containers/docker_hosts.py)."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from testbed.errors import LabError
from topologies import network as networks
from topologies.network import RunningNetwork
from topologies.topology import Topology


class Hosts(Protocol):
    """Hosts for the workers of a network: brought up, asked for workers, closed; then perhaps brought up again."""

    folder: Path  # where workers reach sockets of the session

    def make_ready(self) -> None:
        """Start what all networks need, before the first: its imports would disturb a probe. LabError."""

    def start(self, topology: Topology) -> RunningNetwork:
        """Bring up hosts and network; LabError where that fails, and nothing of them is left."""

    def rank_command(self) -> list[str]:
        """What mpiexec starts for each rank, which then becomes a worker in its host; LabError."""

    def namespace(self, network: RunningNetwork, rank: int) -> int | None:
        """The process whose network namespace a worker must enter; None where it begins in its host's."""

    def lost(self) -> str | None:
        """Which hosts have ended, in words; None where all are there."""

    def close(self) -> None:
        """End what `start` made beside the network, which must have been stopped. May be called twice."""


class NamespaceHosts:
    """Workers are processes that one fork server makes, each in the network namespace of its Mininet host."""

    def __init__(self, *, folder: Path, native: Path, environment: Mapping[str, str]) -> None:
        """`native`: folder of the compiled helpers; `environment`: of the fork server, beyond this process's own."""
        self.folder = folder
        self._native = native
        self._environment = environment
        self._socket = folder / "fork-server"
        self._fork_server: subprocess.Popen[bytes] | None = None

    def make_ready(self) -> None:
        """Start the fork server."""
        if self._fork_server is None:
            self._fork_server = self._start_fork_server()

    def start(self, topology: Topology) -> RunningNetwork:
        """The network."""
        return networks.start(topology)

    def _start_fork_server(self) -> subprocess.Popen[bytes]:
        server = subprocess.Popen(
            [sys.executable, "-m", "testbed.session.fork_server", str(self._socket)],
            env={**os.environ, **self._environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
        )
        assert server.stdout is not None
        if server.stdout.readline() != b"ready\n":
            raise LabError("the fork server did not start; its error is on the console above")
        return server

    def rank_command(self) -> list[str]:
        """A rank asks the fork server."""
        return [str(self._native / "join_rank"), str(self._socket)]

    def namespace(self, network: RunningNetwork, rank: int) -> int | None:
        """The host's process."""
        return network.worker_pids[rank]

    def lost(self) -> str | None:
        """None: they end with the session only."""
        return None

    def close(self) -> None:
        """Nothing: the fork server serves the next network, too."""

    def end(self) -> None:
        """End the fork server, and with it all workers."""
        if self._fork_server is not None:
            self._fork_server.kill()
            self._fork_server.wait()
            self._fork_server = None
