from __future__ import annotations

import itertools

from algorithms.randomness import generator_of, seed_of


def test_seeds_differ_by_seed_worker_and_step():
    keys = list(itertools.product(range(3), range(8), range(50)))
    assert len({seed_of(*key) for key in keys}) == len(keys)


def test_a_step_draws_the_same_whatever_came_before():
    first, second = generator_of(1, 2, 3), generator_of(1, 2, 3)
    assert first.initial_seed() == second.initial_seed() == seed_of(1, 2, 3)
