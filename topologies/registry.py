"""Topologies by name. A new topology is a module of this folder with a `Topology` subclass, and a line here."""

from __future__ import annotations

from testbed.errors import UserError
from topologies.ring import Ring
from topologies.star import Star
from topologies.topology import Topology
from topologies.tree import Tree

TOPOLOGIES: dict[str, type[Topology]] = {topology.name: topology for topology in (Ring, Star, Tree)}


def names() -> tuple[str, ...]:
    """The names that a sweep file may give."""
    return tuple(TOPOLOGIES)


def make(name: str, *, workers: int, arity: int | None = None, prefix: str = "gw0-") -> Topology:
    """Build the named topology.

    Raises:
        UserError: the name is unknown, or the topology cannot have that many workers or that arity.
    """
    if name not in TOPOLOGIES:
        raise UserError(f"topology {name!r} is unknown; choose one of {', '.join(TOPOLOGIES)}")
    return TOPOLOGIES[name](workers=workers, arity=arity, prefix=prefix)
