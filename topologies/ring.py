"""The ring: direct links between neighbours."""

from __future__ import annotations

from topologies.topology import Topology


class Ring(Topology):
    """Every worker has a link to the next and one to the previous, and forwards what is not for it.

        ┌── w0 ═══ w1 ═══ w2 ──┐
        ║                      ║
        └── w5 ═══ w4 ═══ w3 ──┘

    Packets take the shortest way round; at equal distance they go to the right (rising ranks). A worker's address
    is on a device of its own, not on a link, so that it has one address whichever way packets come.
    """

    name = "ring"
    links_between_neighbours = 1
    fewest_workers = 3

    def build(self, workers: int, arity: int | None = None) -> None:  # noqa: ARG002
        """Worker `i` reaches its right neighbour by eth0 or eth1, in the order in which links are made."""
        nodes = [self.add_worker() for _ in range(workers)]
        for rank, node in enumerate(nodes):
            self.connect(node, nodes[(rank + 1) % workers])
