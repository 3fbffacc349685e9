"""The star: one switch."""

from __future__ import annotations

from topologies.topology import Topology


class Star(Topology):
    """Every worker has one link to one switch.

           w0  w1
            \\  /
       w5 ── s0 ── w2
            /  \\
           w4  w3
    """

    name = "star"
    links_between_neighbours = 2

    def build(self, workers: int, arity: int | None = None) -> None:  # noqa: ARG002
        """One bridge; port `i + 1` leads to worker `i`."""
        switch = self.add_switch()
        for _ in range(workers):
            self.connect(self.add_worker(), switch)
