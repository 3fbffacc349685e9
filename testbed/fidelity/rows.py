"""What was measured beside what it should be: pure functions from documents of cells to rows and misses."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from algorithms.graphs import create_graph
from shaping.expected import ShapedPaths
from shaping.plan import plan
from testbed.cell import Cell, Network
from testbed.errors import UserError
from testbed.fidelity import model
from testbed.fidelity.cells import MANY_WORKERS
from testbed.fidelity.measuring import Document
from testbed.workers.training import vector_size
from topologies import make
from topologies.wiring import derive

STEP_WITHIN = 0.01
STEP_WITHIN_AT_10_GBIT = 0.02  # tenths of a microsecond for every packet begin to show
STEP_WITHIN_OF_MANY = 0.03
SAME_WITHIN = 0.005  # two measurements of one cell
RTT_WITHIN_S = 2e-6
SOCKET_WITHIN = 0.001  # bytes on the sockets less MPI's headers, against bytes handed to MPI


@dataclass(frozen=True, kw_only=True)
class ModelRow:
    """A step beside the model."""

    cell: Cell
    measured_s: float  # median
    terms: model.Terms
    within: float  # the relative difference that is allowed

    @property
    def ratio(self) -> float:
        """Measured over model."""
        return self.measured_s / self.terms.total

    @property
    def met(self) -> bool:
        """Whether it is near enough."""
        return abs(self.ratio - 1) <= self.within


@dataclass(frozen=True, kw_only=True)
class ProbeRow:
    """A network's probe beside what the plan says."""

    network: Network
    rtt_s: float
    rtt_expected_s: float
    goodput_bit_per_s: float
    goodput_expected_bit_per_s: float
    faithful: bool  # all paths, alone and all at once, by the lab's tolerance

    @property
    def met(self) -> bool:
        """Whether it is near enough."""
        return self.faithful and abs(self.rtt_s - self.rtt_expected_s) <= RTT_WITHIN_S


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
        exact = self.declared == self.handed and self.unexplained == 0
        return exact and abs(self.socket_difference) <= SOCKET_WITHIN


def step_s(document: Document) -> float:
    """The median step of all repetitions, in seconds."""
    steps_s: list[float] = [step for repetition in document["repetitions"] for step in repetition["step_s"]]
    return statistics.median(steps_s)


def model_row(cell: Cell, document: Document) -> ModelRow:
    """A cell beside the model."""
    return ModelRow(cell=cell, measured_s=step_s(document), terms=expected(cell), within=allowed(cell.network))


def expected(cell: Cell) -> model.Terms:
    """What the model says of a cell's step."""
    values = vector_size(cell.workload)
    if (cell.algorithm, cell.codec) == ("allreduce", "fp32"):
        return model.ring_allreduce(_paths(cell.network), values)
    if (cell.algorithm, cell.codec) == ("d-psgd", "fp32"):
        workers = cell.network.workers
        graph = create_graph(cell.graph, workers)
        return model.neighbour_exchange(
            _paths(cell.network), [graph.neighbours(rank) for rank in range(workers)], values
        )
    raise UserError(f"the model knows allreduce and d-psgd with codec fp32, got {cell.algorithm} {cell.codec}")


def _paths(network: Network) -> ShapedPaths:
    wiring = derive(make(network.topology, workers=network.workers, arity=network.arity))
    return ShapedPaths.of(wiring, plan(network, wiring))


def allowed(network: Network) -> float:
    """By how much a step may differ from the model, relative."""
    if network.workers >= MANY_WORKERS:
        return STEP_WITHIN_OF_MANY
    return STEP_WITHIN_AT_10_GBIT if network.bandwidth_bit_per_s >= 10e9 else STEP_WITHIN


def probe_row(network: Network, document: Document) -> ProbeRow:
    """The probe of a cell's network."""
    probe = document["probe"]
    names = ("rtt_s", "rtt_expected_s", "goodput_bit_per_s", "goodput_expected_bit_per_s")
    numbers = {name: float("nan") if probe[name] is None else float(probe[name]) for name in names}
    return ProbeRow(network=network, faithful=probe["faithful"], **numbers)


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
