"""onebit in matrix form: both residuals, chunk by chunk."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from algorithms.references.reference import REFERENCES, Matrix, Reference, Setting


@REFERENCES.register("onebit")
class OnebitReference(Reference):
    """State X, the workers' residuals R, and what is left of each chunk's mean."""

    def __init__(self, X: Matrix, setting: Setting) -> None:
        super().__init__(X, setting)
        workers, parameters = self.X.shape
        self.edges = [parameters * part // workers for part in range(workers + 1)]
        self.residual = np.zeros_like(self.X)
        self.left = [np.zeros(stop - start) for start, stop in pairwise(self.edges)]

    def step(self, G: Matrix, t: int, rate: float) -> None:
        """R <- A - C(A), A = R + G; each mean M_j <- left_j + mean(C(A))[j], left_j <- M_j - C(M_j)."""
        accumulated = self.residual + G
        sent = np.stack([self.in_chunks(row, t) for row in accumulated])
        self.residual = accumulated - sent
        means = np.concatenate(self.left) + sent.mean(axis=0)
        coded = self.in_chunks(means, t)
        self.left = [(means - coded)[start:stop] for start, stop in pairwise(self.edges)]
        self.X = self.X - rate * self.direction(np.broadcast_to(coded, G.shape))

    def in_chunks(self, row: Matrix, t: int) -> Matrix:
        """C of every chunk, at which nothing is random."""
        draws = self.generators(t)[0]
        return np.concatenate([self.coded(row[start:stop], draws, start) for start, stop in pairwise(self.edges)])
