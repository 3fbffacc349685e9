"""Means over workers in matrix form: exact, or of codes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from algorithms.references.reference import Matrix, Reference


def mean(reference: Reference, G: Matrix, t: int) -> Matrix:
    """The mean of the rows of G as the reference's codec and aggregation take it."""
    kind = "exact" if reference.setting.codec.exact else reference.setting.options.aggregation or "reduce-scatter"
    return _MEANS[kind](reference, G, t)


def _exact(reference: Reference, G: Matrix, t: int) -> Matrix:
    del reference, t
    return np.asarray(G.mean(axis=0))


def _allgather(reference: Reference, G: Matrix, t: int) -> Matrix:
    """mean_i C(g_i)."""
    return np.asarray(reference.compress(G, t).mean(axis=0))


def _reduce_scatter(reference: Reference, G: Matrix, t: int) -> Matrix:
    """Chunk j is C_j(mean_i C_i(g_i[j])): coded by all in the order of chunks, then again by its owner j."""
    workers, parameters = G.shape
    edges = [parameters * part // workers for part in range(workers + 1)]
    draws = reference.generators(t)
    coded = np.stack(
        [
            np.concatenate([reference.coded(g[edges[j] : edges[j + 1]], draws[i], edges[j]) for j in range(workers)])
            for i, g in enumerate(G)
        ]
    )
    mean = coded.mean(axis=0)
    return np.concatenate([reference.coded(mean[edges[j] : edges[j + 1]], draws[j], edges[j]) for j in range(workers)])


_MEANS: dict[str, Callable[[Reference, Matrix, int], Matrix]] = {
    "exact": _exact,
    "allgather": _allgather,
    "reduce-scatter": _reduce_scatter,
}
