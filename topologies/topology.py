"""What every topology is: a Mininet `Topo` of workers, switches and links that have a class."""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar

from mininet.topo import Topo

from testbed.errors import UserError

MOST_WORKERS = 32
LONGEST_INTERFACE_NAME = 15  # IFNAMSIZ less its terminating zero


class LinkClass(StrEnum):
    """Links of one class have the same rate."""

    ACCESS = "access"  # at least one end is a worker
    TRUNK = "trunk"  # between switches


class Topology(Topo):  # type: ignore[misc]  # Mininet has no types
    """A physical network. A subclass has a `name`, `links_between_neighbours` and a `build`; all else derives.

    Worker `rank` is the node `<prefix>w<rank>`, switch `i` is `<prefix>s<i>`; interfaces are Mininet's
    `<node>-eth<port>`. The prefix is the run's own: it tells what is ours from what is not.
    """

    name: ClassVar[str]
    links_between_neighbours: ClassVar[int]  # links from a worker to the next one: the share of latency of each
    fewest_workers: ClassVar[int] = 2
    takes_arity: ClassVar[bool] = False

    def __init__(self, *, workers: int, arity: int | None = None, prefix: str = "gw0-") -> None:
        self.prefix = prefix
        self.worker_nodes: list[str] = []  # by rank
        self.switch_nodes: list[str] = []
        check_workers(type(self), workers)
        if arity is not None and not self.takes_arity:
            raise UserError(f"arity {arity} is for trees, got topology {self.name}; leave it out")
        super().__init__(workers=workers, arity=arity)

    def add_worker(self) -> str:
        """Add the next worker; return its node's name."""
        node: str = self.addHost(f"{self.prefix}w{len(self.worker_nodes)}")
        self.worker_nodes.append(node)
        return node

    def add_switch(self) -> str:
        """Add the next switch; return its node's name."""
        number = len(self.switch_nodes)
        # Mininet derives a datapath id only from names like s1, so it is given.
        node: str = self.addSwitch(f"{self.prefix}s{number}", dpid=f"{number + 1:x}")
        self.switch_nodes.append(node)
        return node

    def connect(self, one: str, other: str, link_class: LinkClass = LinkClass.ACCESS) -> None:
        """Add a link, with the interface names that Mininet would choose, so that they are known before it runs."""
        port, other_port = self.addPort(one, other)
        names = f"{one}-eth{port}", f"{other}-eth{other_port}"
        for name in names:
            if len(name) > LONGEST_INTERFACE_NAME:
                raise UserError(
                    f"interface name {name} has {len(name)} characters, the kernel takes at most "
                    f"{LONGEST_INTERFACE_NAME}; choose a shorter prefix than {self.prefix!r}"
                )
        self.addLink(
            one, other, port1=port, port2=other_port,
            intfName1=names[0], intfName2=names[1], link_class=link_class,
        )  # fmt: skip


def check_workers(topology: type[Topology], workers: int) -> None:
    """Raise UserError where the topology cannot have that many workers."""
    if workers < topology.fewest_workers:
        raise UserError(f"topology {topology.name} needs at least {topology.fewest_workers} workers, got {workers}")
    if workers > MOST_WORKERS:
        raise UserError(f"workers {workers} exceeds the {MOST_WORKERS} that one machine emulates; ask for fewer")
