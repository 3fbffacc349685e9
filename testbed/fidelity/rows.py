"""What was measured beside what it should be: pure functions from documents of cells to rows and misses."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from algorithms import registry
from algorithms.averaging import AveragingOptions
from algorithms.graphs import create_graph
from shaping.expected import ShapedPaths
from shaping.plan import SUPER_PACKET_IN_REAL_TIME_S, SUPER_PACKET_S, plan
from testbed.cell import Cell
from testbed.errors import UserError
from testbed.fidelity import model
from testbed.fidelity.cells import LARGE_VALUES, MANY_WORKERS
from testbed.fidelity.measuring import Document
from testbed.results.limits import limit
from testbed.workloads.outline import vector_size
from topologies import make
from topologies.wiring import derive

STEP_WITHIN = 0.01
STEP_WITHIN_AT_10_GBIT = 0.02  # tenths of a microsecond for every packet begin to show
STEP_WITHIN_OF_MANY = 0.03
STEP_WITHIN_IN_REAL_TIME = 0.02
STEP_WITHIN_IN_REAL_TIME_FAST = 0.05  # above 5 Gbit/s
FAST_BIT_PER_S = 5e9
LARGE_STEP_WITHIN = 0.015  # 10 MB among eight workers, in real time
SAME_WITHIN = 0.005  # two measurements of one cell
UP_AND_DOWN_WITHIN_S = 1.5
CONTAINERS_UP_AND_DOWN_WITHIN_S = 6.0
RESHAPED_WITHIN_S = 0.05
# Of the bytes on the interfaces, in real time: a packet that overtakes another makes its receiver send SACK options of
# 12 to 36 bytes, which no counter of the kernel's shows. In virtual time nothing is overtaken.
UNEXPLAINED_IN_REAL_TIME = 1e-5
SOCKET_WITHIN = 0.001  # bytes on the sockets less MPI's headers, against bytes handed to MPI


@dataclass(frozen=True, kw_only=True)
class ModelRow:
    """A step's exchange beside the model."""

    cell: Cell
    measured_s: float  # median of the steps' communication, mean over workers
    terms: model.Terms
    within: float  # the relative difference that is allowed
    mark: str  # what the cell's results would be marked as: saturated, overrun, or nothing

    @property
    def ratio(self) -> float:
        """Measured over model."""
        return self.measured_s / self.terms.total

    @property
    def met(self) -> bool:
        """Whether it is near enough, or marked as not the network's.

        An overrun is of computing, which is no part of an exchange. The large exchange has a target of its own, which
        the machine is to carry.
        """
        not_the_networks = self.mark == "saturated" and vector_size(self.cell.workload) != LARGE_VALUES
        return not_the_networks or abs(self.ratio - 1) <= self.within


@dataclass(frozen=True, kw_only=True)
class LinkRow:
    """What a network's links do, beside what they were set to. Errors are the largest of all paths probed."""

    cell: Cell
    rtt_s: float
    rtt_expected_s: float
    rtt_error_s: float
    goodput_bit_per_s: float
    goodput_expected_bit_per_s: float
    alone_error: float  # relative
    together_error: float  # of all workers' streams at once
    judgement: str  # faithful | saturated | unfaithful

    @property
    def met(self) -> bool:
        """Whether links do as they were told, or the network is marked as more than the machine carries."""
        return self.judgement != "unfaithful"


@dataclass(frozen=True, kw_only=True)
class SameRow:
    """One cell, measured several times."""

    cell: Cell
    steps_s: Sequence[float]  # the median of each time

    @property
    def difference(self) -> float:
        """The largest relative difference."""
        return max(self.steps_s) / min(self.steps_s) - 1

    @property
    def met(self) -> bool:
        """Whether it is small enough."""
        return self.difference <= SAME_WITHIN


@dataclass(frozen=True, kw_only=True)
class BytesRow:
    """A cell's bytes per step, counted at each place that they pass."""

    cell: Cell
    declared: float
    handed: float
    socket: float
    mpi_headers: float
    interfaces: float
    unexplained: float

    @property
    def socket_difference(self) -> float:
        """What sockets sent less MPI's headers, relative to what was handed over."""
        return (self.socket - self.mpi_headers) / self.handed - 1

    @property
    def met(self) -> bool:
        """Whether all identities hold."""
        unexplained_within = UNEXPLAINED_IN_REAL_TIME * self.interfaces if self.cell.lab == "host" else 0
        exact = self.declared == self.handed and abs(self.unexplained) <= unexplained_within
        return exact and abs(self.socket_difference) <= SOCKET_WITHIN


@dataclass(frozen=True, kw_only=True)
class HostsRow:
    """How long a network of hosts takes to come up, to be shaped, to be shaped otherwise, to go. Seconds."""

    group: str  # topology and workers
    up_s: float
    shaped_s: float
    reshaped_s: float | None  # None: it was shaped once only
    down_s: float

    @property
    def contained(self) -> bool:
        """Whether hosts are containers."""
        return "docker" in self.group

    @property
    def met(self) -> bool:
        """Whether it is quick enough."""
        in_all_s = self.up_s + self.shaped_s + self.down_s
        within_s = CONTAINERS_UP_AND_DOWN_WITHIN_S if self.contained else UP_AND_DOWN_WITHIN_S
        return in_all_s <= within_s and (self.reshaped_s or 0.0) <= RESHAPED_WITHIN_S


def step_s(document: Document) -> float:
    """The median step of all repetitions, in seconds."""
    steps_s: list[float] = [step for repetition in document["repetitions"] for step in repetition["step_s"]]
    return statistics.median(steps_s)


def exchange_s(document: Document) -> float:
    """The median time of communication of all repetitions' steps, in seconds.

    In real time a step is longer, by what workers do before and after it, and by what the machine takes to wake them.
    """
    times_s: list[float] = [time_s for repetition in document["repetitions"] for time_s in repetition["communicate_s"]]
    return statistics.median(times_s)


def model_row(cell: Cell, document: Document) -> ModelRow:
    """A cell beside the model."""
    limited = limit(cell, document)
    return ModelRow(
        cell=cell,
        measured_s=exchange_s(document),
        terms=expected(cell),
        within=allowed(cell),
        mark="" if limited is None else limited[0],
    )


def expected(cell: Cell) -> model.Terms:
    """What the model says of a cell's step; UserError for what it does not know."""
    if (cell.algorithm, cell.codec) not in _MODELS:
        known = ", ".join(f"{algorithm} {codec}" for algorithm, codec in _MODELS)
        raise UserError(f"the model knows {known}, got {cell.algorithm} {cell.codec}: measure one of those")
    return _MODELS[cell.algorithm, cell.codec](cell, vector_size(cell.workload))


def _allreduce(cell: Cell, values: int) -> model.Terms:
    options = registry.options(cell.algorithm, cell.algorithm_options)
    assert isinstance(options, AveragingOptions)
    if options.pattern not in _EXCHANGES:
        raise UserError(
            f"the model knows allreduce by exchange {', '.join(_EXCHANGES)}, got {options.pattern}: leave exchange out"
        )
    return _EXCHANGES[options.pattern](_paths(cell), values)


def _gossip(cell: Cell, values: int) -> model.Terms:
    workers = cell.network.workers
    graph = create_graph(cell.graph, workers)
    return model.neighbour_exchange(_paths(cell), [graph.neighbours(rank) for rank in range(workers)], values)


_EXCHANGES: Final[Mapping[str, Callable[[ShapedPaths, int], model.Terms]]] = {"ring": model.ring_allreduce}
_MODELS: Final[Mapping[tuple[str, str], Callable[[Cell, int], model.Terms]]] = {
    ("allreduce", "fp32"): _allreduce,
    ("d-psgd", "fp32"): _gossip,
}


def _paths(cell: Cell) -> ShapedPaths:
    network = cell.network
    wiring = derive(make(network.topology, workers=network.workers, arity=network.arity))
    super_packet_s = SUPER_PACKET_IN_REAL_TIME_S if cell.lab == "host" else SUPER_PACKET_S
    return ShapedPaths.of(wiring, plan(network, wiring, super_packet_s))


def allowed(cell: Cell) -> float:
    """By how much a step may differ from the model, relative."""
    rate, workers = cell.network.bandwidth_bit_per_s, cell.network.workers
    if cell.lab == "host":
        if vector_size(cell.workload) == LARGE_VALUES:
            return LARGE_STEP_WITHIN
        return STEP_WITHIN_IN_REAL_TIME_FAST if rate > FAST_BIT_PER_S else STEP_WITHIN_IN_REAL_TIME
    if workers >= MANY_WORKERS:
        return STEP_WITHIN_OF_MANY
    return STEP_WITHIN_AT_10_GBIT if rate >= 10e9 else STEP_WITHIN


def link_row(cell: Cell, document: Document) -> LinkRow:
    """The probe of a cell's network."""
    probe = document["probe"]
    names = ("rtt_s", "rtt_expected_s", "goodput_bit_per_s", "goodput_expected_bit_per_s")
    numbers = {name: math.nan if probe[name] is None else float(probe[name]) for name in names}
    faithful = "saturated" if probe.get("saturated") else "unfaithful"
    return LinkRow(
        cell=cell,
        rtt_error_s=_largest([_error(row) for row in probe["detail"] if row["what"] == "rtt"]),
        alone_error=_largest([_relative(row) for row in probe["detail"] if row["what"] == "goodput alone"]),
        together_error=_largest([_relative(row) for row in probe["detail"] if row["what"] == "goodput all at once"]),
        judgement="faithful" if probe["faithful"] else faithful,
        **numbers,
    )


def _error(row: Mapping[str, Any]) -> float:
    return math.nan if row["measured"] is None else float(row["measured"] - row["expected"])


def _relative(row: Mapping[str, Any]) -> float:
    return _error(row) / float(row["expected"])


def _largest(errors: Sequence[float]) -> float:
    """The one that is farthest from 0, with its sign."""
    return max(errors, key=lambda error: math.inf if math.isnan(error) else abs(error), default=math.nan)


def hosts_rows(facts: Mapping[str, Any]) -> list[HostsRow]:
    """The networks of which a lab says how long they took; none of a lab in virtual time."""
    return [
        HostsRow(group=group, **{"reshaped_s": None, **times})
        for group, times in facts.get("networks", {}).items()
        if {"up_s", "shaped_s", "down_s"} <= times.keys()
    ]


def same_rows(cells: Sequence[Cell], runs: Sequence[Mapping[str, Document]]) -> list[SameRow]:
    """For every cell, its step in each of the runs that have it."""
    return [
        SameRow(cell=cell, steps_s=[step_s(run[cell.id]) for run in runs if cell.id in run])
        for cell in cells
        if any(cell.id in run for run in runs)
    ]


def bytes_row(cell: Cell, document: Document) -> BytesRow:
    """A cell's bytes."""
    counted = document["bytes"]
    return BytesRow(
        cell=cell,
        declared=counted["declared_per_step"],
        handed=counted["handed_per_step"],
        socket=counted["socket_per_step"],
        mpi_headers=counted["mpi_header_per_step"],
        interfaces=counted["interface"]["total"],
        unexplained=counted["interface"]["unexplained"],
    )
