from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.results.spread import epochs_from_steps, epochs_measured, half_interval, steps_per_epoch

SECONDS = st.floats(1e-3, 1e3)


@given(st.integers(1, 10**6), st.integers(2, 32), st.integers(1, 1024))
def test_an_epoch_sees_every_sample_and_not_a_whole_step_more(samples: int, workers: int, batch: int) -> None:
    steps = steps_per_epoch(samples, workers, batch)
    assert (steps - 1) * workers * batch < samples <= steps * workers * batch


def test_interval_by_a_table_of_students_t() -> None:
    # t(0.975, 2) = 4.30265; the values 1, 2, 3 have a standard deviation of 1.
    assert half_interval([1.0, 2.0, 3.0]) == pytest.approx(4.30265 / math.sqrt(3), rel=1e-5)


def test_two_repetitions_give_no_confidence() -> None:
    assert math.isnan(half_interval([1.0, 2.0]))


@given(st.lists(SECONDS, min_size=3, max_size=9), SECONDS)
def test_interval_scales_and_does_not_move(values: list[float], factor: float) -> None:
    half = half_interval(values)
    assert half >= 0
    assert half_interval([factor * v for v in values]) == pytest.approx(factor * half, rel=1e-6, abs=1e-6 * factor)
    assert half_interval([1.0 + v for v in values]) == pytest.approx(half, rel=1e-6, abs=1e-6)


def test_epochs() -> None:
    assert epochs_from_steps([[1.0, 3.0], [2.0, 4.0]], 10) == [20.0, 30.0]
    assert epochs_measured([[1.0, 3.0], [2.0, 4.0]]) == [4.0, 6.0]
