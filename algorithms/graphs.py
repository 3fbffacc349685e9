"""Mixing graphs: who averages with whom in a decentralized algorithm, with what weight, and in which step."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, reduce

import networkx as nx
import numpy as np
import numpy.typing as npt

from algorithms.registration import Registry

Matrices = npt.NDArray[np.float64]  # [phase, worker, worker]
ROUNDING = 1e-9  # of sums of weights

GRAPHS: Registry[Callable[[int], Matrices]] = Registry("graph")


@dataclass(frozen=True, eq=False)
class MixingGraph:
    """Mixing matrices W [phase, worker, worker], one a step in turn; rows and columns sum to 1.

    W[rank, peer] is the weight that `rank` gives to what it receives from `peer`.
    """

    name: str
    phases: Matrices

    def __post_init__(self) -> None:
        _require_doubly_stochastic(self.name, self.phases)
        _require_connected(self.name, self.phases)

    @property
    def workers(self) -> int:
        """The number of workers."""
        return int(self.phases.shape[1])

    @property
    def period(self) -> int:
        """Steps after which the graph is the first one again."""
        return len(self.phases)

    @property
    def undirected(self) -> bool:
        """Whether the graph is the same in all steps, and symmetric: who sends to a worker also receives from it."""
        return self.period == 1 and np.array_equal(self.phases[0], self.phases[0].T)

    @property
    def W(self) -> npt.NDArray[np.float64]:  # noqa: N802  # the papers' symbol
        """The mixing matrix of an undirected graph."""
        if not self.undirected:
            raise ValueError(f"graph {self.name} has no symmetric W, as it is directed or changes from step to step")
        return np.asarray(self.phases[0])

    def sources(self, rank: int, t: int = 1) -> tuple[int, ...]:
        """Whom `rank` receives from in step t, from the next higher rank on, round."""
        return _round_from(rank, self._phase(t)[rank])

    def targets(self, rank: int, t: int = 1) -> tuple[int, ...]:
        """Whom `rank` sends to in step t, from the next higher rank on, round.

        Messages leave in this order. If all workers began with the lowest rank instead, some ports would be asked
        twice at first and others not at all.
        """
        return _round_from(rank, self._phase(t)[:, rank])

    def neighbours(self, rank: int) -> tuple[int, ...]:
        """The other workers that `rank` averages with, in an undirected graph, where targets are sources."""
        return _round_from(rank, self.W[rank])

    def weight(self, rank: int, peer: int, t: int = 1) -> float:
        """W[rank, peer] of step t."""
        return float(self._phase(t)[rank, peer])

    @cached_property
    def eigenvalues(self) -> npt.NDArray[np.float64]:
        """lambda_1 = 1 >= lambda_2 >= ... >= lambda_n of the W of an undirected graph."""
        return np.linalg.eigvalsh(self.W)[::-1].astype(np.float64)

    @cached_property
    def rho(self) -> float:
        """By what factor a step shrinks the workers' disagreement at least: |W - 1 1^T / n|, the spectral norm.

        Undirected, that is Tang 2018's max(|lambda_2|, |lambda_n|). Where the graph changes, it is the geometric mean
        over a period, of the product of its matrices: 0 where a period leaves exact averages.
        """
        product = reduce(lambda before, W: W @ before, self.phases)
        norm = float(np.linalg.norm(product - 1.0 / self.workers, 2))
        return 0.0 if norm < ROUNDING else norm ** (1.0 / self.period)

    @property
    def spectral_gap(self) -> float:
        """1 - rho."""
        return 1.0 - self.rho

    @property
    def mu(self) -> float:
        """The largest |lambda_i - 1| of i >= 2: Tang 2018, theorem 1."""
        return float(np.abs(self.eigenvalues[1:] - 1.0).max())

    def _phase(self, t: int) -> npt.NDArray[np.float64]:
        return np.asarray(self.phases[(t - 1) % self.period])


def _round_from(rank: int, weights: npt.NDArray[np.float64]) -> tuple[int, ...]:
    """The other workers with a weight, from rank + 1 on, round."""
    peers = (int(peer) for peer in np.flatnonzero(weights) if peer != rank)
    return tuple(sorted(peers, key=lambda peer: (peer - rank) % len(weights)))


def _require_doubly_stochastic(name: str, phases: Matrices) -> None:
    sums = np.concatenate([phases.sum(axis=1).ravel(), phases.sum(axis=2).ravel()])
    if (phases < -ROUNDING).any() or np.abs(sums - 1.0).max() > ROUNDING:
        raise ValueError(
            f"graph {name}: W has a weight of {phases.min():.3g} and sums of {sums.min():.3g} to {sums.max():.3g}, but "
            "weights must not be negative, and each row and column must sum to 1; use Metropolis weights"
        )


def _require_connected(name: str, phases: Matrices) -> None:
    """What any worker knows must reach all others. As W is doubly stochastic, one way round implies the other."""
    edges = phases.sum(axis=0) > 0
    for rank in range(len(edges)):
        if edges[rank].sum() - edges[rank, rank] == 0:
            raise ValueError(
                f"graph {name}: worker {rank} has no neighbours, so that it would train alone; connect it to another"
            )
    parts = nx.number_weakly_connected_components(nx.from_numpy_array(edges, create_using=nx.DiGraph))
    if parts > 1:
        raise ValueError(
            f"graph {name} falls into {parts} parts that never average with each other; it must be connected: add edges"
        )


def admissible_alpha(graph: MixingGraph) -> float:
    """The noise-to-signal ratio below which DCD-PSGD is proved to converge: (1 - rho) / (2 sqrt(2) mu).

    Tang 2018, section 4.2, last paragraph (theorem 1 itself asks for (1 - rho)^2 > 4 mu^2 alpha^2, a bound
    larger by sqrt(2)). Ring of 8: 0.052.
    """
    return graph.spectral_gap / (2.0 * math.sqrt(2.0) * graph.mu)


def consensus_step(graph: MixingGraph, quality: float) -> float:
    """CHOCO-SGD's gamma for a codec with E|C(z) - z|^2 <= (1 - quality) |z|^2 (Koloskova et al. 2019, theorem 2).

    d^2 w / (16 d + d^2 + 4 b^2 + 2 d b^2 - 8 d w) with d the spectral gap, b = |I - W|, the spectral norm, and w the
    quality. (In later papers d is rho and w is delta.)
    """
    gap, beta = graph.spectral_gap, graph.mu
    return gap**2 * quality / (16 * gap + gap**2 + 4 * beta**2 + 2 * gap * beta**2 - 8 * gap * quality)


def metropolis(edges: nx.Graph) -> npt.NDArray[np.float64]:
    """W_ij = 1 / (1 + max(degree i, degree j)) on edges, the rest of each row on its diagonal.

    Symmetric and doubly stochastic on any undirected graph (Xiao & Boyd 2004); 1/3 on a ring, 1/2 on a pair.
    """
    W = np.zeros((edges.number_of_nodes(),) * 2)
    for i, j in edges.edges:
        W[i, j] = W[j, i] = 1.0 / (1.0 + max(edges.degree[i], edges.degree[j]))
    np.fill_diagonal(W, 1.0 - W.sum(axis=1))
    W.setflags(write=False)
    return W


def undirected(edges: nx.Graph) -> Matrices:
    """The same W in all steps, with Metropolis weights."""
    return metropolis(edges)[np.newaxis]


def _circulant(workers: int, distances: Sequence[int]) -> npt.NDArray[np.float64]:
    """Every worker sends to those so many ranks on, all weights equal."""
    W = np.zeros((workers, workers))
    ranks = np.arange(workers)
    for distance in (0, *distances):
        W[(ranks + distance) % workers, ranks] = 1.0 / (1 + len(distances))
    return W


def _powers_of_two(workers: int) -> tuple[int, ...]:
    """1, 2, 4, ... below the number of workers."""
    return tuple(1 << bit for bit in range((workers - 1).bit_length()))


@GRAPHS.register("ring")
def _ring(workers: int) -> Matrices:
    return undirected(nx.cycle_graph(workers) if workers > 2 else nx.path_graph(workers))


@GRAPHS.register("star")
def _star(workers: int) -> Matrices:
    return undirected(nx.star_graph(workers - 1))  # worker 0 is the centre


@GRAPHS.register("tree")
def _tree(workers: int) -> Matrices:
    """Binary: worker i's parent is (i - 1) // 2."""
    return undirected(nx.full_rary_tree(2, workers))


@GRAPHS.register("torus")
def _torus(workers: int) -> Matrices:
    """Rows x columns as square as the number allows, wrapped round both ways.

    Rank = row * columns + column.
    """
    rows = max(rows for rows in range(1, math.isqrt(workers) + 1) if workers % rows == 0)
    if rows == 1:
        raise ValueError(f"graph torus needs a number of workers with two factors above 1, got {workers}; use ring")
    grid = nx.grid_2d_graph(rows, workers // rows, periodic=True)
    return undirected(nx.convert_node_labels_to_integers(grid, ordering="sorted"))


@GRAPHS.register("complete")
def _complete(workers: int) -> Matrices:
    return undirected(nx.complete_graph(workers))


@GRAPHS.register("exponential")
def _exponential(workers: int) -> Matrices:
    """Directed: every worker sends to those 1, 2, 4, ... ranks on, in every step (Assran et al. 2019)."""
    return _circulant(workers, _powers_of_two(workers))[np.newaxis]


@GRAPHS.register("one-peer-exponential")
def _one_peer_exponential(workers: int) -> Matrices:
    """Directed, one message a step: to the worker 1 rank on, then 2, then 4, and so on, round (Assran et al. 2019).

    Where the number of workers is a power of two, a period leaves exact averages (Ying et al. 2021).
    """
    return np.stack([_circulant(workers, (distance,)) for distance in _powers_of_two(workers)])


def create_graph(name: str, workers: int) -> MixingGraph:
    """The graph called `name` on `workers` workers, with Metropolis weights where it is undirected.

    ValueError where there is none.
    """
    build = GRAPHS.find(name)
    if workers < 2:
        raise ValueError(f"graph {name} needs at least 2 workers, got {workers}; add workers")
    return MixingGraph(name, build(workers))
