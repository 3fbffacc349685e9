"""Addresses, routes, static neighbours and static forwarding entries: pure functions of the wiring.

Nothing is learnt at run time: address resolution would delay first packets, and a bridge that has yet to learn where
an address is floods every link with what only one should carry.
"""

from __future__ import annotations

from dataclasses import dataclass

from topologies.wiring import LinkEnd, Wiring, reverse

SUBNET = "10.0.0"  # inside the run's own namespaces, so it meets nobody else's
PREFIX_LENGTH = 24


@dataclass(frozen=True)
class Address:
    """An IPv4 address on an interface."""

    interface: str
    ip: str
    prefix_length: int


@dataclass(frozen=True)
class Route:
    """How a worker reaches another worker: by an interface, through the worker at its other end."""

    target: str
    via: str
    interface: str
    source: str


@dataclass(frozen=True)
class Neighbour:
    """The hardware address behind an IPv4 address of an interface's link."""

    ip: str
    mac: str
    interface: str


@dataclass(frozen=True)
class Forwarding:
    """A bridge's port towards a hardware address."""

    mac: str
    interface: str


def worker_ip(rank: int) -> str:
    """The one address of a worker."""
    return f"{SUBNET}.{rank + 1}"


def mac(wiring: Wiring, node: str, interface: str) -> str:
    """Hardware address of a link end: locally administered, unique in the network, and telling its node and port."""
    nodes = wiring.workers + wiring.switches
    port = int(interface.rsplit("eth", 1)[1])
    return f"02:00:00:00:{nodes.index(node):02x}:{port:02x}"


def routed(wiring: Wiring) -> bool:
    """Whether workers forward packets themselves, because no switch does."""
    return not wiring.switches


def address_device(wiring: Wiring, node: str) -> str:
    """The device that has a worker's address: its only link, or one of its own where it has several."""
    return f"{node}-ip" if routed(wiring) else wiring.ends_of(node)[0].interface


def peer_device(device: str) -> str:
    """The other end of a device that has a worker's address and no link."""
    return f"{device}p"


def address(wiring: Wiring, rank: int) -> Address:
    """A worker's address and the device it is on."""
    prefix_length = 32 if routed(wiring) else PREFIX_LENGTH
    return Address(address_device(wiring, wiring.workers[rank]), worker_ip(rank), prefix_length)


def routes(wiring: Wiring, rank: int) -> tuple[Route, ...]:
    """Routes to every other worker; none where all share one subnet."""
    if not routed(wiring):
        return ()
    others = [other for other in range(len(wiring.workers)) if other != rank]
    first_links = [(other, wiring.path(rank, other)[0]) for other in others]
    return tuple(
        Route(worker_ip(other), worker_ip(wiring.workers.index(link.peer)), link.interface, worker_ip(rank))
        for other, link in first_links
    )


def neighbours(wiring: Wiring, rank: int) -> tuple[Neighbour, ...]:
    """Static address resolution: of adjacent workers on a routed network, of all workers on a switched one."""
    node = wiring.workers[rank]
    if routed(wiring):
        return tuple(_neighbour(wiring, end, reverse(end)) for end in wiring.ends_of(node))
    own = wiring.ends_of(node)[0]
    return tuple(_neighbour(wiring, own, wiring.ends_of(other)[0]) for other in wiring.workers if other != node)


def forwarding(wiring: Wiring, switch: str) -> tuple[Forwarding, ...]:
    """A bridge's static forwarding entries, one for each worker."""
    return tuple(
        Forwarding(
            mac(wiring, worker, wiring.ends_of(worker)[0].interface),
            wiring.paths[switch, worker][0].interface,
        )
        for worker in wiring.workers
    )


def _neighbour(wiring: Wiring, own: LinkEnd, other: LinkEnd) -> Neighbour:
    return Neighbour(
        ip=worker_ip(wiring.workers.index(other.node)),
        mac=mac(wiring, other.node, other.interface),
        interface=own.interface,
    )
