"""What is measured: cells whose step is an exchange and nothing else, on stars."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

from testbed.cell import Cell, Containers, Network, Steps

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

# What is measured in real time, and in the virtual lab beside it: one link from slow to fast; more at once, up to where
# two cores carry them no longer.
LATENCIES_IN_REAL_TIME_S = (1e-3, 20e-3)
RATES_OF_ONE_LINK_BIT_PER_S = (5e6, 100e6, 1.4e9, 5e9, 10e9)
RATES_OF_EIGHT_BIT_PER_S = (5e6, 100e6, 1.4e9)
LARGE_VALUES = 2_500_000  # 10 MB
LARGE_POINT = (8, 100e6, 4e-3)
LARGE_STEPS = Steps(repetitions=3)  # its steps are long and few, and what else the machine does makes some longer

ALLREDUCE = ("allreduce", "fp32")
EXCHANGE = ("d-psgd", "fp32")

Point = tuple[int, float, float]  # workers, bit/s, seconds


@dataclass(frozen=True, kw_only=True)
class Programme:
    """The cells that one call of `gradwire fidelity` measures in one lab."""

    grid: Sequence[Cell]  # each beside the model
    orders: Sequence[Sequence[Cell]] = ()  # the same cells, each time in other company
    loaded: Sequence[Cell] = ()  # on an idle and on a busy machine

    @property
    def all_cells(self) -> list[Cell]:
        """Every cell once."""
        parts = (self.grid, *self.orders, self.loaded)
        return list({cell.id: cell for part in parts for cell in part}.values())


def programmes(which: str, quick: bool, contained: bool = False) -> dict[str, Programme]:
    """What is measured in which lab, for `virtual`, `host` (beside the virtual lab) or `both` (all there is).

    `contained`: in the host lab the large exchange also among containers.
    """
    grid = _quick_grid if quick else _real_time_grid
    of_host = grid("host")
    if contained:
        of_host.append(dataclasses.replace(of_host[-1], containers=Containers()))
    host = {"host": Programme(grid=of_host)}
    if which == "host":
        return {"virtual": Programme(grid=grid("virtual")), **host}
    virtual = {"virtual": _quick_virtual() if quick else _virtual(beside_real_time=which == "both")}
    return virtual | host if which == "both" else virtual


def _virtual(beside_real_time: bool) -> Programme:
    mixed = _mixed("virtual")
    shuffled = [mixed[index] for index in (3, 0, 4, 1, 5, 2)]
    beside = _real_time_grid("virtual") if beside_real_time else []
    return Programme(
        grid=list({cell.id: cell for cell in (*_grid("virtual"), *beside)}.values()),
        orders=[mixed, mixed[::-1], shuffled, *([cell] for cell in mixed)],
        loaded=[_cell("virtual", (8, 10e9, 0.13e-3), pattern) for pattern in (ALLREDUCE, EXCHANGE)],
    )


def _quick_virtual() -> Programme:
    cells = _quick_grid("virtual")
    return Programme(grid=cells, orders=[cells[:3], cells[2::-1]])


def _quick_grid(lab: str) -> list[Cell]:
    """A slow near and a fast distant network, in a minute or two."""
    points = ((4, 100e6, 0.13e-3), (4, 1.4e9, 1e-3))
    return [_cell(lab, point, pattern) for point in points for pattern in (ALLREDUCE, EXCHANGE)]


def _real_time_grid(lab: str) -> list[Cell]:
    points = [(2, rate, latency_s) for rate in RATES_OF_ONE_LINK_BIT_PER_S for latency_s in LATENCIES_IN_REAL_TIME_S]
    points += [(8, rate, latency_s) for rate in RATES_OF_EIGHT_BIT_PER_S for latency_s in LATENCIES_IN_REAL_TIME_S]
    cells = [_cell(lab, point, pattern) for point in points for pattern in (ALLREDUCE, EXCHANGE)]
    large = _cell(lab, LARGE_POINT, ALLREDUCE, LARGE_VALUES)
    return [*cells, dataclasses.replace(large, steps=LARGE_STEPS)]


def _grid(lab: str) -> list[Cell]:
    points = [
        (workers, rate, latency_s) for workers in WORKERS for rate in RATES_BIT_PER_S for latency_s in LATENCIES_S
    ]
    points += [(MANY_WORKERS, rate, LATENCIES_S[0]) for rate in RATES_OF_MANY_BIT_PER_S]
    return [_cell(lab, point, pattern) for point in points for pattern in (ALLREDUCE, EXCHANGE)]


def _mixed(lab: str) -> list[Cell]:
    """Six cells that differ in all that could leave a trace: rate, latency, sizes and peers of messages."""
    return [
        _cell(lab, (8, 100e6, 0.13e-3), ALLREDUCE),
        _cell(lab, (8, 100e6, 0.13e-3), ("dcd-psgd", "qsgd")),
        _cell(lab, (8, 10e9, 0.13e-3), EXCHANGE),
        _cell(lab, (8, 10e9, 20e-3), ("allreduce", "qsgd")),
        _cell(lab, (8, 10e9, 1e-3), ALLREDUCE),
        _cell(lab, (8, 1.4e9, 1e-3), EXCHANGE),
    ]


def _cell(lab: str, point: Point, pattern: tuple[str, str], values: int = VALUES) -> Cell:
    (workers, rate_bit_per_s, latency_s), (algorithm, codec) = point, pattern
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
        workload=f"vector-{values}",
        batch_size=1,
        device="instant",
        gradients="none",
        steps=STEPS,
    )
