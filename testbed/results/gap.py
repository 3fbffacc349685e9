"""How well the graph of a decentralized algorithm mixes: a column of the tables of sweeps and of trainings."""

from __future__ import annotations

import math
from functools import cache

from algorithms.algorithm import ALGORITHMS
from algorithms.decentralized import Decentralized


@cache
def spectral_gap(algorithm: str, graph: str, workers: int) -> float:
    """1 - rho of the graph on so many workers; nan of an algorithm without one."""
    try:
        if not issubclass(ALGORITHMS.find(algorithm), Decentralized):
            return math.nan
    except ValueError:  # of a package that is not installed here: its results can be read all the same
        return math.nan
    from algorithms.graphs import create_graph  # with a graph library, which few tables need

    return create_graph(graph, workers).spectral_gap
