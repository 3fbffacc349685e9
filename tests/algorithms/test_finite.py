from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from algorithms.finite import NonFiniteError, require_finite

LARGEST = torch.finfo(torch.float32).max


@given(
    values=st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), max_size=50),
    at=st.integers(0, 49),
    bad=st.sampled_from([math.nan, math.inf, -math.inf]),
)
def test_the_first_component_that_is_not_finite_is_named(values, at, bad):
    require_finite(torch.tensor(values))
    at = min(at, len(values))
    with pytest.raises(NonFiniteError) as refused:
        require_finite(torch.tensor([*values[:at], bad, *values[at:], math.nan]))
    assert refused.value.index == at


@pytest.mark.parametrize("values", [[LARGEST] * 4, [LARGEST] * 4 + [-LARGEST] * 4, [-LARGEST, -LARGEST]])
def test_finite_values_whose_sum_is_too_large_pass(values):
    require_finite(torch.tensor(values))


def test_infinities_that_cancel_are_refused():
    with pytest.raises(NonFiniteError):
        require_finite(torch.tensor([math.inf, -math.inf]))
