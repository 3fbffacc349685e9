from __future__ import annotations

import math
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from algorithms.graphs import GRAPHS, MixingGraph, admissible_alpha, create_graph


@given(name=st.sampled_from(["complete", "ring", "star", "torus"]), workers=st.integers(2, 24))
def test_mixing_matrix_is_symmetric_doubly_stochastic_and_mixes(name, workers):
    if name == "torus" and all(workers % factor for factor in range(2, math.isqrt(workers) + 1)):
        with pytest.raises(ValueError, match="graph torus needs"):
            create_graph(name, workers)
        return
    graph = create_graph(name, workers)
    assert np.array_equal(graph.W, graph.W.T)
    assert np.allclose(graph.W.sum(axis=0), 1, atol=1e-12)
    assert (graph.W >= -1e-12).all()
    assert 0 <= graph.rho < 1 - 1e-6 or math.isclose(graph.rho, 0, abs_tol=1e-9)
    for rank in range(workers):
        assert rank not in graph.neighbours(rank)
        assert all(rank in graph.neighbours(peer) for peer in graph.neighbours(rank))


def test_ring_weights():
    assert create_graph("ring", 2).W.tolist() == [[0.5, 0.5], [0.5, 0.5]]
    ring = create_graph("ring", 5)
    assert ring.neighbours(0) == (1, 4)
    assert ring.weight(0, 4) == pytest.approx(1 / 3)
    assert ring.weight(0, 0) == pytest.approx(1 / 3)


def test_spectrum_of_a_ring_of_eight():
    """Eigenvalues of a circulant matrix: (1 + 2 cos(2 pi k / 8)) / 3."""
    ring = create_graph("ring", 8)
    assert ring.rho == pytest.approx((1 + math.sqrt(2)) / 3)  # 0.805
    assert ring.mu == pytest.approx(4 / 3)
    assert admissible_alpha(ring) == pytest.approx(0.0518, abs=1e-4)


def test_complete_graph_averages_at_once():
    assert create_graph("complete", 6).rho == pytest.approx(0, abs=1e-12)


def test_torus_is_as_square_as_possible():
    torus = create_graph("torus", 12)  # 3 rows of 4
    assert torus.neighbours(0) == (1, 3, 4, 8)


def test_graphs_travel_to_other_processes():
    ring = create_graph("ring", 4)
    copy: MixingGraph = pickle.loads(pickle.dumps(ring))
    assert np.array_equal(copy.W, ring.W)


def test_refusals():
    assert GRAPHS.names() == ("complete", "ring", "star", "torus")
    with pytest.raises(ValueError, match=r"graph is 'rnig', must be one of .* did you mean ring"):
        create_graph("rnig", 4)
    with pytest.raises(ValueError, match="graph ring needs at least 2 workers, got 1"):
        create_graph("ring", 1)
