"""The physical networks: ring, star and tree as Mininet `Topo` classes, what derives from them, and their start-up."""

from topologies.registry import make, names

__all__ = ["make", "names"]
