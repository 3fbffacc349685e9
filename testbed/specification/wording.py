"""Cells in words, for progress and messages."""

from __future__ import annotations

from collections.abc import Sequence

from testbed.cell import Cell, Change, OwnLinks
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
    words += [f"{key} {value}" for key, value in cell.workload_options.items()]
    if cell.partition != "partitioned":
        words.append(cell.partition if cell.alpha is None else f"{cell.partition} {cell.alpha:g}")
    words += _unusual(cell)
    if cell.capture:
        words.append("captured")
    return ", ".join(words)


def describe_network(cell: Cell) -> str:
    """Where a cell's messages travel: `star, 5 Mbit/s, 0.13 ms`."""
    network = cell.network
    words = [network.topology, format_rate(network.bandwidth_bit_per_s), format_time(network.latency_s)]
    return ", ".join(words + _unusual(cell))


def _unusual(cell: Cell) -> list[str]:
    words = [] if cell.containers is None else [f"containers {cell.containers.words}"]
    words += [] if cell.compute_scale == 1 else [f"compute x{cell.compute_scale:g}"]
    if straggler := describe_straggler(cell):
        words.append(f"straggler {straggler}")
    if cell.schedule:
        words.append(f"schedule {describe_schedule(cell.schedule)}")
    return words


def describe_straggler(cell: Cell) -> str:
    """What makes a worker slow: `worker 3: compute x2, 10 Mbit/s`; empty where none is."""
    slow, links = cell.slow_worker, cell.network.own_links
    words = [f"compute x{slow.compute:g}"] if slow else []
    words += [text for own in links for text in _link_words(own)]
    worker = slow.worker if slow else links[0].worker if links else None
    return f"worker {worker}: {', '.join(words)}" if words else ""


def describe_schedule(schedule: Sequence[Change]) -> str:
    """All changes with their times: `3 s: 10 Mbit/s; 8 s: worker 3 down 2 s`; empty where there is none."""
    return "; ".join(f"{format_time(change.at_s)}: {describe_change(change)}" for change in schedule)


def describe_change(change: Change) -> str:
    """What happens, without the time: `10 Mbit/s`, `loss 1 %`, `worker 3 down 2 s`."""
    words = [] if change.down_s is None else [f"down {format_time(change.down_s)}"]
    whose = "" if change.worker is None else f"worker {change.worker} "
    return whose + ", ".join(words + _link_words(change))


def _link_words(link: OwnLinks | Change) -> list[str]:
    words = [] if link.bandwidth_bit_per_s is None else [format_rate(link.bandwidth_bit_per_s)]
    words += [] if link.latency_s is None else [f"latency {format_time(link.latency_s)}"]
    words += [] if link.jitter_s is None else [f"jitter {format_time(link.jitter_s)}"]
    return words if link.loss is None else [*words, f"loss {link.loss * 100:g} %"]


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
