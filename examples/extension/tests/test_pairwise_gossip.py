"""The algorithm, all workers in one process, against its equation written as matrices."""

import numpy as np
import pytest
import torch
from gradwire_example.pairwise_gossip import partner_of

from algorithms import lockstep, registry
from algorithms.algorithm import Worker
from algorithms.codecs.codec import create_codec

PARAMETERS, RATE, SEED = 13, 0.1, 7


def mixing(workers, t):
    """W [worker, worker] of step t: a half for itself and for its partner."""
    W = np.eye(workers)
    for rank in range(workers):
        if (partner := partner_of(rank, workers, SEED, t)) is not None:
            W[rank, rank] = W[rank, partner] = 0.5
    return W


@pytest.mark.parametrize("workers", [2, 3, 8])
def test_matches_its_equation(workers):
    draws = np.random.default_rng(1)
    X = np.tile(draws.normal(size=PARAMETERS), (workers, 1))
    targets = draws.normal(size=(workers, PARAMETERS))  # f_i(x) = |x - target_i|^2 / 2
    xs = [torch.tensor(row, dtype=torch.float32) for row in X]
    made = [
        registry.create(
            "pairwise-gossip",
            Worker(rank=rank, workers=workers, parameters=PARAMETERS, codec=create_codec("fp32"), seed=SEED),
        )
        for rank in range(workers)
    ]
    for t in range(1, 21):
        gradients = [x - torch.tensor(target, dtype=torch.float32) for x, target in zip(xs, targets, strict=True)]
        traffic = lockstep.step_all(made, xs, gradients, t, RATE)
        assert traffic.handed_bytes == tuple(algorithm.declared_bytes(t) for algorithm in made)
        W = mixing(workers, t)
        assert np.allclose(W, W.T) and np.allclose(W.sum(axis=1), 1)
        X = W @ X - RATE * (X - targets)
        assert np.allclose(torch.stack(xs).numpy(), X, atol=1e-5)
