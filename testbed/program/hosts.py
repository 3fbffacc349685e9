"""The hosts of a user's ranks: network namespaces, which each rank enters by itself."""

from __future__ import annotations

from pathlib import Path

from topologies import network as networks
from topologies.network import RunningNetwork
from topologies.topology import Topology


class ProgramHosts:
    """Hosts as `testbed.session.hosts` has them, without a fork server: nothing is imported beforehand."""

    def __init__(self, folder: Path, rank_command: list[str]) -> None:
        """`rank_command`: what mpiexec starts for each rank; `folder`: where ranks leave their files."""
        self.folder = folder
        self._rank_command = rank_command

    def make_ready(self) -> None:
        """Nothing."""

    def start(self, topology: Topology) -> RunningNetwork:
        """The network."""
        return networks.start(topology)

    def rank_command(self) -> list[str]:
        """`enter_host`, and the program."""
        return self._rank_command

    def namespace(self, network: RunningNetwork, rank: int) -> int | None:
        """The host's process."""
        return network.worker_pids[rank]

    def lost(self) -> str | None:
        """None: they end with the station only."""
        return None

    def close(self) -> None:
        """Nothing was made beside the network."""
