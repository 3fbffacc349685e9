"""Mixing graphs: who averages with whom in a decentralized algorithm, and with what weight."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import networkx as nx
import numpy as np
import numpy.typing as npt

from algorithms.registration import Registry

GRAPHS: Registry[Callable[[int], nx.Graph]] = Registry("graph")


@dataclass(frozen=True, eq=False)
class MixingGraph:
    """A graph of workers with its mixing matrix W [worker, worker]: symmetric, rows and columns sum to 1."""

    name: str
    W: npt.NDArray[np.float64]

    @property
    def workers(self) -> int:
        """The number of workers."""
        return len(self.W)

    def neighbours(self, rank: int) -> tuple[int, ...]:
        """The other workers that `rank` averages with, from the next higher rank on, round.

        Messages leave in this order. If all workers began with the lowest rank instead, some ports would be asked
        twice at first and others not at all.
        """
        peers = (int(peer) for peer in np.flatnonzero(self.W[rank]) if peer != rank)
        return tuple(sorted(peers, key=lambda peer: (peer - rank) % self.workers))

    def weight(self, rank: int, peer: int) -> float:
        """W[rank, peer]."""
        return float(self.W[rank, peer])

    @cached_property
    def eigenvalues(self) -> npt.NDArray[np.float64]:
        """lambda_1 = 1 >= lambda_2 >= ... >= lambda_n of W."""
        return np.linalg.eigvalsh(self.W)[::-1].astype(np.float64)

    @property
    def rho(self) -> float:
        """max(|lambda_2|, |lambda_n|): Tang 2018, assumption 1.3. The spectral gap is 1 - rho."""
        return float(max(abs(self.eigenvalues[1]), abs(self.eigenvalues[-1])))

    @property
    def spectral_gap(self) -> float:
        """1 - rho."""
        return 1.0 - self.rho

    @property
    def mu(self) -> float:
        """The largest |lambda_i - 1| of i >= 2: Tang 2018, theorem 1."""
        return float(np.abs(self.eigenvalues[1:] - 1.0).max())


def admissible_alpha(graph: MixingGraph) -> float:
    """The noise-to-signal ratio below which DCD-PSGD is proved to converge: (1 - rho) / (2 sqrt(2) mu).

    Tang 2018, section 4.2, last paragraph (theorem 1 itself asks for (1 - rho)^2 > 4 mu^2 alpha^2, a bound
    larger by sqrt(2)). Ring of 8: 0.052.
    """
    return graph.spectral_gap / (2.0 * math.sqrt(2.0) * graph.mu)


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


@GRAPHS.register("ring")
def _ring(workers: int) -> nx.Graph:
    return nx.cycle_graph(workers) if workers > 2 else nx.path_graph(workers)


@GRAPHS.register("star")
def _star(workers: int) -> nx.Graph:
    return nx.star_graph(workers - 1)  # worker 0 is the centre


@GRAPHS.register("torus")
def _torus(workers: int) -> nx.Graph:
    """Rows x columns as square as the number allows, wrapped round both ways.

    Rank = row * columns + column.
    """
    rows = max(rows for rows in range(1, math.isqrt(workers) + 1) if workers % rows == 0)
    if rows == 1:
        raise ValueError(f"graph torus needs a number of workers with two factors above 1, got {workers}; use ring")
    grid = nx.grid_2d_graph(rows, workers // rows, periodic=True)
    return nx.convert_node_labels_to_integers(grid, ordering="sorted")


GRAPHS.register("complete")(nx.complete_graph)


def create_graph(name: str, workers: int) -> MixingGraph:
    """The graph called `name` on `workers` workers with Metropolis weights.

    ValueError where there is none.
    """
    build = GRAPHS.find(name)
    if workers < 2:
        raise ValueError(f"graph {name} needs at least 2 workers, got {workers}; add workers")
    return MixingGraph(name, metropolis(build(workers)))
