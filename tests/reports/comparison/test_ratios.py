from __future__ import annotations

import math

import numpy as np
import pytest

from reports.comparison.ratios import adjusted, paired, welch

A = (1.00, 1.10, 0.95, 1.05)


def test_pairs_take_out_the_noise_that_both_drew() -> None:
    b = [value * factor for value, factor in zip(A, (1.020, 1.021, 1.019, 1.020), strict=True)]
    in_pairs, apart = paired(A, b), welch(A, b)
    assert in_pairs.value == pytest.approx(apart.value) == pytest.approx(1.02, rel=1e-3)
    assert in_pairs.p < 0.001 and apart.p > 0.5
    assert 1.018 < in_pairs.low < 1.02 < in_pairs.high < 1.022
    assert apart.low < 1 < apart.high


def test_the_interval_is_students() -> None:
    logs = np.log([1.10, 1.12, 1.14])
    found = paired([1.0, 1.0, 1.0], [1.10, 1.12, 1.14])
    half = 4.302653 * logs.std(ddof=1) / math.sqrt(3)  # t(2) at 97.5 %
    assert math.log(found.low) == pytest.approx(logs.mean() - half, abs=1e-6)
    assert math.log(found.high) == pytest.approx(logs.mean() + half, abs=1e-6)


def test_welch_takes_unlike_counts_and_spreads() -> None:
    found = welch([1.0, 1.0, 1.0], [1.4, 1.5, 1.6, 1.5])
    assert found.p < 0.01 and found.low > 1.3 and not found.paired


@pytest.mark.parametrize(("factor", "p"), [(1.0, 1.0), (1.1, 0.0)])
def test_repetitions_that_differ_all_alike_have_no_spread(factor: float, p: float) -> None:
    found = paired(A, [value * factor for value in A])
    assert found.p == p and found.low == found.high == pytest.approx(factor)
    assert welch([1.0] * 3, [factor] * 3).p == p


def test_many_cells_need_more_than_one_small_p() -> None:
    assert adjusted([0.04] + [0.9] * 19)[0] > 0.05
    assert adjusted([0.04]) == [0.04]
    assert adjusted([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.04, 0.04])  # 3/1 x 0.01, min(3/2 x 0.03, 0.04), 0.04
    assert adjusted([]) == []
