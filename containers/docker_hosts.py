"""The hosts of one network as Docker containers: started side by side, wired by Mininet, ended together.

A container's first process is ours (container_init.c) and holds a connection to the session. No process id of the
engine's is needed, and nothing has to be cleaned up: containers end when the session does, and the engine removes them.
"""

from __future__ import annotations

import itertools
import os
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from containers import gpus, image, labels
from containers.connections import Connections
from containers.docker_host import DockerHost
from containers.engine import asking, connect
from containers.removal import await_removal
from testbed.cache import cache_folder
from testbed.cell import Hosting
from testbed.clean import run_id_of
from testbed.errors import LabError
from testbed.workloads.data.dataset import DATA_VARIABLE
from topologies import network as networks
from topologies.network import RunningNetwork
from topologies.topology import Topology

if TYPE_CHECKING:
    from docker import DockerClient

MOST_AT_ONCE = 8  # requests to the engine

_networks = itertools.count()  # of this session


class DockerHosts:
    """Containers for the workers of one network; see testbed.session.hosts.Hosts."""

    def __init__(
        self, hosting: Hosting, *, spool: Path, folder: Path, native: Path, environment: Mapping[str, str]
    ) -> None:
        """`folder`: of the station; `native`: of the compiled helpers; `environment`: of the workers' programs."""
        assert hosting.containers is not None
        self._choice = hosting.containers
        self._gpus = gpus.installed() if hosting.gpus else 0
        self._native = native
        self._environment = environment
        number = next(_networks)
        self._name = f"gradwire-{run_id_of(spool)}-{number}"
        self._labels = {labels.RUN: run_id_of(spool), labels.SPOOL: str(spool), labels.NETWORK: self._name}
        self.folder = folder / f"c{number}"  # short: sockets lie in it, whose paths may have 107 characters
        self._client: DockerClient | None = None
        self._connections: Connections | None = None
        self._workers = 0

    def make_ready(self) -> None:
        """Nothing: each container has a fork server of its own, which starts when workers are wanted."""

    def start(self, topology: Topology) -> RunningNetwork:
        """Start a container for each worker, then the network between them. LabError: what had been made is gone."""
        nodes = topology.worker_nodes
        self._workers = len(nodes)
        self.folder.mkdir()
        self.folder.chmod(0o1777)  # containers' users make sockets in it; the spool folder above keeps others out
        self._client = connect(MOST_AT_ONCE)
        self._connections = Connections(self.folder / "session", self._workers)
        try:
            self._start_containers(nodes)
            namespaces = dict(zip(nodes, self._connections.accept(), strict=True))
            try:
                return networks.start(
                    topology, lambda name, **params: DockerHost(name, namespace=namespaces[name], **params)
                )
            finally:
                for descriptor in namespaces.values():
                    os.close(descriptor)
        except BaseException:
            self.close()
            raise

    def rank_command(self) -> list[str]:
        """What mpiexec starts for each rank; at the first call the workers' programs are started."""
        assert self._connections is not None
        self._connections.start_programs()
        return [str(self._native / "join_rank"), *(str(self._socket(rank)) for rank in range(self._workers))]

    def namespace(self, network: RunningNetwork, rank: int) -> None:
        """None: a worker is in its container's namespace from the start."""
        del network, rank

    def lost(self) -> str | None:
        """Which containers have ended, in words; None where all are there."""
        ended = self._connections.ended() if self._connections is not None else []
        if not ended:
            return None
        which = ", ".join(str(rank) for rank in ended)
        return (
            f"the container of worker {which} ended" if len(ended) == 1 else f"the containers of workers {which} ended"
        )

    def close(self) -> None:
        """End the containers and wait until the engine has removed them. May be called twice."""
        if self._connections is not None:
            self._connections.close()
            self._connections = None
        if self._client is not None:
            with suppress(LabError):  # the engine is gone; containers ended all the same, and the next start sees to it
                await_removal(self._client, labels.NETWORK, self._name)
            self._client.close()
            self._client = None

    def _socket(self, rank: int) -> Path:
        return self.folder / f"worker-{rank}"

    def _start_containers(self, nodes: list[str]) -> None:
        client = self._client
        assert client is not None
        name = self._choice.image or image.ensure(client, lambda _: None)
        options = self._options()
        with ThreadPoolExecutor(MOST_AT_ONCE) as pool:
            starts = [
                pool.submit(self._start_one, client, name, node, rank, options) for rank, node in enumerate(nodes)
            ]
        for start in starts:
            start.result()

    def _start_one(self, client: DockerClient, name: str, node: str, rank: int, options: Mapping[str, Any]) -> None:
        more = {"device_requests": [gpus.device_request(rank, self._gpus)]} if self._gpus else {}
        with asking(f"starting the container of worker {rank}"):
            client.containers.create(
                name,
                self._command(rank),
                name=f"{self._name}-{node}",
                hostname=node,
                **options,
                **more,
            ).start()

    def _command(self, rank: int) -> list[str]:
        python = "python3" if self._choice.image else sys.executable
        program = [python, "-m", "testbed.session.fork_server", str(self._socket(rank))]
        return [str(self._native / "container_init"), str(self.folder / "session"), str(rank), *program]

    def _options(self) -> dict[str, Any]:
        """What all containers of the network have in common."""
        choice = self._choice
        environment = {**self._environment, "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
        limits: dict[str, Any] = {}
        if choice.cpus is not None:
            limits["nano_cpus"] = round(choice.cpus * 1e9)
        if choice.memory_bytes is not None:
            limits |= {"mem_limit": choice.memory_bytes, "memswap_limit": choice.memory_bytes}  # no swap beside it
        return {
            "entrypoint": [],
            "network_mode": "none",
            "auto_remove": True,
            "labels": self._labels,
            "environment": environment,
            "cap_drop": ["ALL"],
            "security_opt": ["no-new-privileges"],
            "volumes": self._bindings(),
            **limits,
        }

    def _bindings(self) -> dict[str, dict[str, str]]:
        data = os.environ.get(DATA_VARIABLE)
        own = [self._native, cache_folder(), *([Path(data)] if data else [])]
        machine = [] if self._choice.image else image.machine_files()
        shared = {str(self.folder): {"bind": str(self.folder), "mode": "rw"}}
        return (
            image.read_only(image.without_nested([path for path in (*machine, *own) if path.exists()]))
            | shared
            | (self._open_home() if self._choice.image else {})
        )

    def _open_home(self) -> dict[str, dict[str, str]]:
        """A /root through which other users reach what is bound below it; images have one that is closed to them.

        It is written to by the engine only, which makes the places of bindings in it.
        """
        home = self.folder / "home"
        home.mkdir(exist_ok=True)
        home.chmod(0o755)
        return {str(home): {"bind": "/root", "mode": "rw"}}
