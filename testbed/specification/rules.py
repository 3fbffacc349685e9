"""What no network can be: each rule looks at a cell and names the key, the value, the rule and the remedy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from testbed.cell import Cell, Network
from testbed.specification.units import format_rate, format_time
from testbed.specification.values import LARGEST_FRAME_BYTES

Rule = Callable[[Cell], str | None]
NetworkRule = Callable[[Network], str | None]

# The delays of a round trip's links (four on star and tree) add up to the latency L, normally distributed
# with deviation J: a link's mean is L/4 and its deviation J/2, so L >= 8 J keeps four deviations above zero.
JITTERS_IN_A_LATENCY: Final = 8
# Each is an MPI session, of which a launch of workers can have 64, and up to 31 before such a cell begins.
MOST_REPETITIONS_OF_A_SCHEDULE: Final = 32
CONTAINER_LAB: Final = "host"
# Where the labs' fidelity is checked. Outside of it a cell is measured all the same, and a warning says so.
CHECKED_RATES_BIT_PER_S: Final = (5e6, 10e9)
CHECKED_LATENCIES_S: Final = (0.1e-3, 100e-3)


def delays_stay_positive(network: Network) -> str | None:
    """A delay below zero cannot be emulated, and cutting it off would shift the mean."""
    jitter_s, latency_s = network.jitter_s, network.latency_s
    if jitter_s * JITTERS_IN_A_LATENCY <= latency_s:
        return None
    return (
        f"jitter {format_time(jitter_s)} is above an eighth of the latency {format_time(latency_s)}, so that "
        f"some delays would be negative: use at most {format_time(latency_s / JITTERS_IN_A_LATENCY)}"
    )


def queue_passes_a_frame(network: Network) -> str | None:
    """A queue given as a time can be too short for one frame at a low rate."""
    if network.queue_bytes >= LARGEST_FRAME_BYTES:
        return None
    return (
        f"queue is {network.queue_bytes} bytes at {format_rate(network.bandwidth_bit_per_s)}, which holds no "
        f"frame of {LARGEST_FRAME_BYTES} bytes: give a longer time, or bytes"
    )


def ranks_exist(cell: Cell) -> str | None:
    """A straggler and a scheduled change name workers by rank."""
    workers = cell.network.workers
    named = [("straggler: worker", own.worker) for own in cell.network.own_links]
    named += [("straggler: worker", cell.slow_worker.worker)] if cell.slow_worker else []
    named += [("schedule: links", change.worker) for change in cell.schedule if change.worker is not None]
    wrong = next(((key, rank) for key, rank in named if rank >= workers), None)
    return wrong and f"{wrong[0]} is {wrong[1]}, but the ranks of {workers} workers are 0 to {workers - 1}: use one"


def a_straggler_is_slower(cell: Cell) -> str | None:
    """A link that is faster than the others makes all others stragglers."""
    network = cell.network
    for own in network.own_links:
        rate, latency_s = own.bandwidth_bit_per_s, own.latency_s
        if rate is not None and rate > network.bandwidth_bit_per_s:
            return (
                f"straggler: bandwidth is {format_rate(rate)}, above the {format_rate(network.bandwidth_bit_per_s)} "
                "of the other links: use a lower one, or exclude that pair"
            )
        if latency_s is not None and latency_s < network.latency_s:
            return (
                f"straggler: latency is {format_time(latency_s)}, below the {format_time(network.latency_s)} "
                "between the other workers: use a higher one, or exclude that pair"
            )
    return None


def a_schedule_has_few_repetitions(cell: Cell) -> str | None:
    """Each has connections of its own, of which workers can have so many in turn."""
    repetitions = cell.steps.repetitions
    if not cell.schedule or repetitions <= MOST_REPETITIONS_OF_A_SCHEDULE:
        return None
    return (
        f"steps: repetitions is {repetitions}, but a cell with a schedule takes at most "
        f"{MOST_REPETITIONS_OF_A_SCHEDULE}: use fewer, and more seeds"
    )


def containers_are_real_time(cell: Cell) -> str | None:
    """A guest of the virtual lab runs on its own kernel, which no container engine of the machine knows."""
    if cell.containers is None or cell.lab == CONTAINER_LAB:
        return None
    return (
        f"containers is {cell.containers.engine}, which lab {CONTAINER_LAB} has, and the lab is {cell.lab}: "
        f"use --lab {CONTAINER_LAB} (or `lab: {CONTAINER_LAB}`), or containers: none"
    )


NETWORK_RULES: Final[Sequence[NetworkRule]] = (delays_stay_positive, queue_passes_a_frame)
RULES: Final[Sequence[Rule]] = (
    ranks_exist,
    a_straggler_is_slower,
    a_schedule_has_few_repetitions,
    containers_are_real_time,
)


def broken(cell: Cell) -> str | None:
    """The sentence of the first rule that the cell breaks."""
    of_network = broken_network(cell.network)
    return of_network or next((sentence for rule in RULES if (sentence := rule(cell))), None)


def broken_network(network: Network) -> str | None:
    """The sentence of the first rule that the network breaks, whatever is done on it."""
    return next((sentence for rule in NETWORK_RULES if (sentence := rule(network))), None)


def warnings(cells: Sequence[Cell]) -> list[str]:
    """What is unusual but possible, one sentence a key."""
    return network_warnings([cell.network for cell in cells])


def network_warnings(networks: Sequence[Network]) -> list[str]:
    """What is unusual of networks, but possible, one sentence a key."""
    rates = {network.bandwidth_bit_per_s for network in networks}
    latencies = {network.latency_s for network in networks}
    return [
        *_outside("bandwidth", rates, CHECKED_RATES_BIT_PER_S, format_rate),
        *_outside("latency", latencies, CHECKED_LATENCIES_S, format_time),
    ]


def _outside(key: str, values: set[float], checked: tuple[float, float], text: Callable[[float], str]) -> list[str]:
    low, high = checked
    odd = ", ".join(text(value) for value in sorted(values) if not low <= value <= high)
    return [f"{key} {odd} lies outside {text(low)} to {text(high)}, where fidelity is checked"] if odd else []
