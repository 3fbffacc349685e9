"""Columns that the numbers of all figures have."""

from __future__ import annotations

from typing import Any

from reports.systems import System
from reports.view import Network, View


def where(network: Network, system: System) -> dict[str, Any]:
    """The network and the system of a number."""
    return {
        "bandwidth_bit_per_s": network[0],
        "latency_s": network[1],
        "system": system.label,
        "algorithm": system.algorithm,
        "codec": system.codec,
    }


def state(view: View, system: System, network: Network, faithful: bool) -> str:
    """What a reader must know of a number: measured, unfaithful, failed, or no cell."""
    point = view.point(system, network)
    if point is None:
        return "no cell"
    if point.failed:
        return "failed"
    return "measured" if faithful else "unfaithful"
