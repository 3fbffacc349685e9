"""Delays at receivers, for kernels without sch_netem: which packets wait where, and for how long.

Packets are handed to a process (delay_line.c) by netfilter's NFQUEUE where they arrive, before they are routed. At a
sender that would defeat TCP small queues: the packet leaves the sender's account when it is queued.

A bridge has no such place without the machine's bridge firewalling, so a worker behind switches keeps packets for the
delays of all links they crossed. Delays are constant, so packets of one path arrive as if each link had held them;
what differs is when packets of unequally long paths meet at a trunk or a port (trees only).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from shaping.expected import ShapedPaths
from shaping.plan import LARGEST_U32, LinkShaping
from topologies.addressing import routed, worker_ip

CHAIN = "PREROUTING"  # also what a ring's workers forward passes it


@dataclass(frozen=True, kw_only=True)
class DelayLine:
    """Packets that arrive at a node by an interface, and the links whose delays they have yet to wait for."""

    node: str
    interface: str
    sources: tuple[str, ...]  # IPv4 addresses; none: whoever sent them
    links: tuple[LinkShaping, ...]

    @property
    def place(self) -> tuple[str, str, tuple[str, ...]]:
        """Which packets it takes: what netfilter's rules depend on."""
        return self.node, self.interface, self.sources

    @property
    def delay_ns(self) -> int:
        """The sum of the links' delays."""
        return sum(link.delay_ns for link in self.links)

    @property
    def deviation_ns(self) -> int:
        """Standard deviation: variances add up."""
        return round(math.hypot(*(link.jitter_ns for link in self.links)))

    @property
    def loss(self) -> float:
        """Probability that one of the links drops a packet; 1 where one is down."""
        if any(link.loss_u32 == LARGEST_U32 for link in self.links):
            return 1.0
        return 1 - math.prod(1 - link.loss_u32 / 2**32 for link in self.links)

    @property
    def link_ns_per_byte(self) -> float:
        """What a byte takes on the last link, which packets pass one after the other."""
        return 1e9 / self.links[-1].rate_byte_per_s

    @property
    def before_ns_per_byte(self) -> float:
        """What a byte takes on the links before that: a token bucket lets packets go at once."""
        return sum(1e9 / link.rate_byte_per_s for link in self.links[:-1])

    @property
    def seed(self) -> int:
        """Of the line's draws of loss and jitter."""
        return self.links[-1].seed


def delay_lines(paths: ShapedPaths) -> list[DelayLine]:
    """The delay lines of a network, in an order that depends on its wiring, and on which workers have own links."""
    if routed(paths.wiring):
        return [_of_link(link) for link in paths.shaping.values()]
    return [line for rank in range(len(paths.wiring.workers)) for line in _of_worker(paths, rank)]


def _of_link(link: LinkShaping) -> DelayLine:
    return DelayLine(node=link.end.peer, interface=link.end.peer_interface, sources=(), links=(link,))


def _of_worker(paths: ShapedPaths, rank: int) -> list[DelayLine]:
    """One line for each kind of way that packets to a worker may have come: so many links, and one sender's own."""
    others = [other for other in range(len(paths.wiring.workers)) if other != rank]
    by_way: dict[tuple[int, int | None], list[int]] = {}
    for other in others:
        first = paths.links((other, rank))[0]
        by_way.setdefault((paths.wiring.hops(other, rank), other if first.own else None), []).append(other)
    return [_of_sources(paths, rank, sources, everybody=len(by_way) == 1) for sources in by_way.values()]


def _of_sources(paths: ShapedPaths, rank: int, sources: Sequence[int], everybody: bool) -> DelayLine:
    links = paths.links((sources[0], rank))
    last = links[-1].end
    return DelayLine(
        node=last.peer,
        interface=last.peer_interface,
        sources=() if everybody else tuple(worker_ip(source) for source in sources),
        links=tuple(links),
    )


def rules(lines: Sequence[DelayLine]) -> str:
    """What `iptables-restore` needs so that the packets of one node's lines reach the queues of their numbers."""
    text = ["*mangle", f":{CHAIN} ACCEPT [0:0]", f"-F {CHAIN}"]
    for number, line in enumerate(lines):
        for source in line.sources or (None,):
            match = "" if source is None else f" -s {source}"
            text.append(f"-A {CHAIN} -i {line.interface}{match} -j NFQUEUE --queue-num {number}")
    return "\n".join([*text, "COMMIT", ""])
