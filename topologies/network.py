"""Bringing a topology up with Mininet, and taking it down."""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from mininet.net import Mininet
from pyroute2.netlink.exceptions import NetlinkError

from testbed.errors import LabError
from topologies import sysctls
from topologies.addressing import address_device, mac, peer_device, routed
from topologies.configuration import barrier_request, bridge_requests, get_link, worker_requests
from topologies.namespace import Netlink
from topologies.nodes import Bridge, QuietInterface, VethLink, WorkerHost
from topologies.topology import Topology
from topologies.wiring import Wiring, derive

LINKS_UP_WITHIN_S = 5.0
POLL_S = 0.001


@dataclass(kw_only=True)
class RunningNetwork:
    """A topology that is up. Its namespaces live as long as its nodes' processes."""

    wiring: Wiring
    mininet: Mininet
    sysctls: Mapping[str, Mapping[str, str]] = field(default_factory=dict)  # node -> setting -> value read back

    @property
    def worker_pids(self) -> tuple[int, ...]:
        """The processes whose network namespaces are the workers', by rank."""
        return tuple(self.pid(node) for node in self.wiring.workers)

    def pid(self, node: str) -> int:
        """The process whose network namespace is a node's."""
        pid: int = self.mininet[node].pid
        return pid

    def lost(self) -> str | None:
        """Which interface is gone, in words; None where all links are as they were made."""
        for node in (*self.mininet.hosts, *self.mininet.switches):
            for end in self.wiring.ends_of(node.name):
                try:
                    node.netlink.get([get_link(node.netlink.index(end.interface))], "reading links")
                except LabError:
                    return f"interface {end.interface} is gone; somebody removed it"
        return None

    def stop(self) -> None:
        """End all nodes' processes; namespaces, interfaces and qdiscs end with them. May be called twice."""
        nodes = [*self.mininet.hosts, *self.mininet.switches]
        for node in nodes:  # all at once, so that they end side by side
            if node.shell is not None:
                with suppress(ProcessLookupError):
                    os.killpg(node.pid, signal.SIGHUP)
        for node in nodes:
            node.terminate()


def start(topology: Topology, host: Callable[..., WorkerHost] = WorkerHost) -> RunningNetwork:
    """Bring a topology up: hosts, bridges, links, addresses, static neighbours and routes, TCP settings.

    `host` makes a worker's host, as Mininet calls it: with the node's name and parameters. Needs root in the current
    user namespace, and `mnexec` on PATH (`topologies.mnexec.build`).

    Raises:
        LabError: a part cannot be made; what had been made is gone again.
    """
    if shutil.which("mnexec") is None:
        raise LabError("program mnexec is not on PATH; `make setup` builds it")
    # Mininet would raise limits of the whole machine for good (open files, neighbour tables), before its first
    # network; 32 workers need none of it.
    Mininet.inited = True
    wiring = derive(topology)
    mininet = Mininet(
        topo=topology,
        host=host,
        switch=Bridge,
        link=VethLink,
        intf=QuietInterface,
        controller=None,
        build=False,
    )
    network = RunningNetwork(wiring=wiring, mininet=mininet)
    try:
        _make_nodes(mininet, topology)
        _make_links(mininet, topology, wiring)
        network.sysctls = _configure(network)
        _await_links(network)
    except BaseException:
        network.stop()
        raise
    return network


def _make_nodes(mininet: Mininet, topology: Topology) -> None:
    for name in topology.worker_nodes:
        mininet.addHost(name, **topology.nodeInfo(name))
    for name in topology.switch_nodes:
        mininet.addSwitch(name, **topology.nodeInfo(name) | {"inNamespace": True})
    for node in (*mininet.hosts, *mininet.switches):
        node.await_namespace()


def _make_links(mininet: Mininet, topology: Topology, wiring: Wiring) -> None:
    for _, _, info in topology.iterLinks(withInfo=True):
        addresses = {
            "addr1": mac(wiring, info["node1"], info["intfName1"]),
            "addr2": mac(wiring, info["node2"], info["intfName2"]),
        }
        mininet.addLink(**info | addresses)


def _await_links(network: RunningNetwork) -> None:
    """Wait until every link end takes packets; the kernel sees to that in the background."""
    deadline = time.monotonic() + LINKS_UP_WITHIN_S
    nodes = (*network.mininet.hosts, *network.mininet.switches)
    for node in nodes:
        ends = [end.interface for end in network.wiring.ends_of(node.name)]
        while down := _not_up(node.netlink, ends):
            if time.monotonic() > deadline:
                raise LabError(f"interface {down[0]} is not up after {LINKS_UP_WITHIN_S:g} s")
            time.sleep(POLL_S)
    # An interface says that it is up before it takes packets; both happen under one lock, which this waits for.
    for node in nodes:
        node.netlink.send([barrier_request(node.netlink.index)], "waiting for links")


def _not_up(netlink: Netlink, interfaces: list[str]) -> list[str]:
    """Interfaces whose state is not yet UP. A new one's is UNKNOWN, and packets that it is given are lost."""
    found = netlink.get([get_link(netlink.index(interface)) for interface in interfaces], "reading links")
    return [
        interface for interface, link in zip(interfaces, found, strict=True) if link.get_attr("IFLA_OPERSTATE") != "UP"
    ]


def _configure(network: RunningNetwork) -> dict[str, Mapping[str, str]]:
    wiring = network.wiring
    read_back: dict[str, Mapping[str, str]] = {}
    for node in (*wiring.workers, *wiring.switches):
        settings = {**sysctls.WORKER_SYSCTLS, **(sysctls.FORWARDING_SYSCTLS if routed(wiring) else {})}
        pid = network.pid(node)
        sysctls.write(pid, node, sysctls.OPTIONAL_SYSCTLS, optional=True)
        if node in wiring.workers:
            read_back[node] = sysctls.write(pid, node, settings)
            _configure_worker(network, node)
        else:
            _configure_switch(network, node)
    return read_back


def _configure_worker(network: RunningNetwork, node: str) -> None:
    netlink = network.mininet[node].netlink
    if routed(network.wiring):
        device = address_device(network.wiring, node)
        # A veth pair with both ends here: fewer kernels lack it than lack dummy devices, and no packet uses it.
        _add_device(netlink, device, kind="veth", peer={"ifname": peer_device(device)})
    rank = network.wiring.workers.index(node)
    netlink.send(worker_requests(network.wiring, rank, netlink.index), "setting addresses and routes")


def _configure_switch(network: RunningNetwork, node: str) -> None:
    netlink = network.mininet[node].netlink
    _add_device(netlink, node, kind="bridge")
    netlink.send(bridge_requests(network.wiring, node, netlink.index), "setting up the bridge")


def _add_device(netlink: Netlink, name: str, *, kind: str, **options: Any) -> None:
    try:
        netlink.route.link("add", ifname=name, kind=kind, **options)
    except NetlinkError as error:
        raise LabError(f"device {name} of kind {kind} cannot be made on {netlink.node}: {error}") from error
