"""What is measured: cells whose step is an exchange and nothing else, of 1.1 MB, on stars."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from testbed.cell import Cell, Network, Steps

VALUES = 275_000  # float32: 1.1 MB, about what ResNet-20 has
GRAPH = "ring"
# Compute takes no time, so nothing differs from one repetition to the next.
STEPS = Steps(repetitions=1)
QUEUE_BYTES = 16 << 20  # holds all that a step sends at a port, so that no packet is dropped

WORKERS = (2, 8, 16)
RATES_BIT_PER_S = (5e6, 100e6, 1.4e9, 10e9)
LATENCIES_S = (0.13e-3, 1e-3, 20e-3)
MANY_WORKERS = 24
RATES_OF_MANY_BIT_PER_S = (100e6, 10e9)

ALLREDUCE = ("allreduce", "fp32")
EXCHANGE = ("d-psgd", "fp32")


@dataclass(frozen=True, kw_only=True)
class Programme:
    """The cells of one call of `gradwire fidelity`."""

    grid: Sequence[Cell]  # each beside the model
    orders: Sequence[Sequence[Cell]]  # the same cells, each time in other company
    loaded: Sequence[Cell]  # on an idle and on a busy machine


def full(lab: str) -> Programme:
    """All that the documentation states."""
    mixed = _mixed(lab)
    shuffled = [mixed[index] for index in (3, 0, 4, 1, 5, 2)]
    return Programme(
        grid=_grid(lab),
        orders=[mixed, mixed[::-1], shuffled, *([cell] for cell in mixed)],
        loaded=[_cell(lab, 8, 10e9, 0.13e-3, pattern) for pattern in (ALLREDUCE, EXCHANGE)],
    )


def quick(lab: str) -> Programme:
    """A look at a slow near and a fast distant network, in a minute or two.

    10 Gbit/s is left to the full programme: with the 4 workers of this one an allreduce there has two stable step times
    (docs/virtual-lab.md, "Known limits").
    """
    conditions = ((100e6, 0.13e-3), (1.4e9, 1e-3))
    cells = [
        _cell(lab, 4, rate, latency_s, pattern) for rate, latency_s in conditions for pattern in (ALLREDUCE, EXCHANGE)
    ]
    return Programme(grid=cells, orders=[cells[:3], cells[2::-1]], loaded=())


def _grid(lab: str) -> list[Cell]:
    points = [
        (workers, rate, latency_s) for workers in WORKERS for rate in RATES_BIT_PER_S for latency_s in LATENCIES_S
    ]
    points += [(MANY_WORKERS, rate, LATENCIES_S[0]) for rate in RATES_OF_MANY_BIT_PER_S]
    return [_cell(lab, *point, pattern) for point in points for pattern in (ALLREDUCE, EXCHANGE)]


def _mixed(lab: str) -> list[Cell]:
    """Six cells that differ in all that could leave a trace: rate, latency, sizes and peers of messages."""
    return [
        _cell(lab, 8, 100e6, 0.13e-3, ALLREDUCE),
        _cell(lab, 8, 100e6, 0.13e-3, ("dcd-psgd", "qsgd")),
        _cell(lab, 8, 10e9, 0.13e-3, EXCHANGE),
        _cell(lab, 8, 10e9, 20e-3, ("allreduce", "qsgd")),
        _cell(lab, 8, 10e9, 1e-3, ALLREDUCE),
        _cell(lab, 8, 1.4e9, 1e-3, EXCHANGE),
    ]


def _cell(lab: str, workers: int, rate_bit_per_s: float, latency_s: float, pattern: tuple[str, str]) -> Cell:
    algorithm, codec = pattern
    return Cell(
        lab=lab,
        network=Network(
            topology="star",
            workers=workers,
            bandwidth_bit_per_s=rate_bit_per_s,
            latency_s=latency_s,
            queue_bytes=QUEUE_BYTES,
        ),
        algorithm=algorithm,
        codec=codec,
        graph=GRAPH,
        workload=f"vector-{VALUES}",
        batch_size=1,
        device="instant",
        gradients="none",
        steps=STEPS,
    )
