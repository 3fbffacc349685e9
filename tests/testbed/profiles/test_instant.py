from __future__ import annotations

import numpy as np
import pytest

from algorithms.algorithm import Work
from testbed.profiles import compute_draws, load, names


def test_nothing_takes_time():
    instant = load("instant")
    assert instant.mean_compute_s("vector-10", batch_size=128) == 0
    assert instant.staging_copy_s(10**6) == 0
    for work in Work:
        assert instant.work_s(work, 10**6, "qsgd") == 0


def test_its_draws_are_zeros():
    drawn = compute_draws(load("instant"), "vector-10", 128, workers=3, steps=5, seed=1, repetition=0)
    np.testing.assert_array_equal(drawn, np.zeros((3, 5)))


def test_it_claims_neither_measurement_nor_estimate_and_is_not_offered():
    assert load("instant").kind == "none"
    assert load("instant").digest
    assert "instant" not in names()


def test_it_is_the_same_each_time():
    assert load("instant").digest == load("instant").digest
    with pytest.raises(AttributeError):
        load("instant").device = "other"  # type: ignore[misc]
