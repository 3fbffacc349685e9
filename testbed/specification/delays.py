"""The delay of each link that gives neighbouring workers their latency."""

from __future__ import annotations

from testbed.cell import Network


def link_delay_s(network: Network) -> float:
    """One-way delay of every link: L/2 on a ring, L/4 on star and tree."""
    from topologies.registry import TOPOLOGIES  # imports Mininet, which reading a sweep file does not need

    return network.latency_s / (2 * TOPOLOGIES[network.topology].links_between_neighbours)
