"""What follows from a topology alone: its directed links, who reaches whom over which, and delays."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import networkx as nx

from topologies.topology import LinkClass, Topology


@dataclass(frozen=True, kw_only=True)
class LinkEnd:
    """One direction of a link: packets that leave `node` by `interface` and arrive at `peer`."""

    node: str
    interface: str
    peer: str
    peer_interface: str
    link_class: LinkClass


@dataclass(frozen=True, kw_only=True)
class Wiring:
    """A topology's directed links and the way between each pair of workers."""

    topology: str
    workers: tuple[str, ...]  # nodes, by rank
    switches: tuple[str, ...]
    ends: tuple[LinkEnd, ...]
    paths: Mapping[tuple[str, str], tuple[LinkEnd, ...]]  # (node, worker) -> links crossed, in order
    links_between_neighbours: int

    def path(self, source: int, target: int) -> tuple[LinkEnd, ...]:
        """The links that a packet from rank `source` to rank `target` crosses, in order."""
        return self.paths[self.workers[source], self.workers[target]]

    def hops(self, source: int, target: int) -> int:
        """How many links lie between two ranks."""
        return len(self.path(source, target))

    def ends_of(self, node: str) -> tuple[LinkEnd, ...]:
        """The directed links that leave a node, in order of its interfaces."""
        return tuple(end for end in self.ends if end.node == node)


def derive(topology: Topology) -> Wiring:
    """The wiring of a topology. Ways are shortest; at equal length, the one over the earlier links of `build`."""
    ends = tuple(_ends(topology))
    return Wiring(
        topology=topology.name,
        workers=tuple(topology.worker_nodes),
        switches=tuple(topology.switch_nodes),
        ends=ends,
        paths=_paths(ends, topology.worker_nodes),
        links_between_neighbours=topology.links_between_neighbours,
    )


def delay_s(wiring: Wiring, latency_s: float) -> float:
    """One-way delay of every link, in seconds, when neighbouring workers' round trip is to take `latency_s`.

    There and back, neighbours are `2 links_between_neighbours` links apart: L/2 on a ring, L/4 on star and tree.
    """
    return latency_s / (2 * wiring.links_between_neighbours)


def rate_bit_per_s(end: LinkEnd, bandwidth_bit_per_s: float, trunk_bit_per_s: float | None) -> float:
    """Rate of a link, in bit/s: the bandwidth, but for trunks that have a rate of their own."""
    if end.link_class is LinkClass.TRUNK and trunk_bit_per_s is not None:
        return trunk_bit_per_s
    return bandwidth_bit_per_s


def longest_round_trip(wiring: Wiring) -> tuple[int, int]:
    """The pair of ranks with the most links between them, there and back."""
    ranks = range(len(wiring.workers))
    pairs = [(a, b) for a in ranks for b in ranks if a < b]
    return max(pairs, key=lambda pair: wiring.hops(*pair) + wiring.hops(*reversed(pair)))


def _ends(topology: Topology) -> Iterator[LinkEnd]:
    """Both directions of every link: first all in the order and direction of `build`, then all reversed.

    On a ring the first half are the links to the right, so that the breadth-first search of `_paths`, which
    follows edges in this order, breaks ties to the right.
    """
    order = {node: index for index, node in enumerate(topology.worker_nodes + topology.switch_nodes)}
    # Mininet's own order is that of names as strings, in which w10 precedes w2; orientation is in the attributes.
    links = sorted(
        (info for _, _, info in topology.iterLinks(withInfo=True)),
        key=lambda info: (order[info["node1"]], info["port1"]),
    )
    forward = [
        LinkEnd(
            node=info["node1"],
            interface=info["intfName1"],
            peer=info["node2"],
            peer_interface=info["intfName2"],
            link_class=info["link_class"],
        )
        for info in links
    ]
    yield from forward
    yield from (reverse(end) for end in forward)


def reverse(end: LinkEnd) -> LinkEnd:
    """The other direction of the same link."""
    return dataclasses.replace(
        end,
        node=end.peer,
        interface=end.peer_interface,
        peer=end.node,
        peer_interface=end.interface,
    )


def _paths(ends: tuple[LinkEnd, ...], workers: list[str]) -> dict[tuple[str, str], tuple[LinkEnd, ...]]:
    graph = nx.DiGraph()
    for end in ends:
        graph.add_edge(end.node, end.peer, end=end)
    return {
        (source, target): tuple(graph.edges[hop]["end"] for hop in nx.utils.pairwise(nodes[target]))
        for source in graph.nodes
        for nodes in [nx.single_source_shortest_path(graph, source)]
        for target in workers
        if target != source
    }
