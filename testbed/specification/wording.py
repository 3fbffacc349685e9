"""Cells in words, for progress and messages."""

from __future__ import annotations

from collections.abc import Sequence

from testbed.cell import Cell
from testbed.specification.delays import link_delay_s
from testbed.specification.units import format_rate, format_time


def describe(cell: Cell) -> str:
    """A cell in one line: `star, 8 workers, 5 Mbit/s, 0.13 ms, dcd-psgd qsgd`."""
    network = cell.network
    words = [
        network.topology,
        f"{network.workers} workers",
        format_rate(network.bandwidth_bit_per_s),
        format_time(network.latency_s),
        f"{cell.algorithm} {cell.codec}",
    ]
    if cell.compute_scale != 1:
        words.append(f"compute x{cell.compute_scale:g}")
    if cell.capture:
        words.append("captured")
    return ", ".join(words)


def describe_delays(cells: Sequence[Cell]) -> list[str]:
    """The delay of each link for each latency, one line a topology."""
    latencies: dict[str, dict[float, float]] = {}
    for network in (cell.network for cell in cells):
        latencies.setdefault(network.topology, {})[network.latency_s] = link_delay_s(network)
    return [
        f"each link of a {topology} delays "
        + ", ".join(f"{format_time(delay_s)} for {format_time(latency_s)}" for latency_s, delay_s in delays_s.items())
        for topology, delays_s in latencies.items()
    ]
