"""How many times as long B takes as A, with its 95 % interval, from the epochs of each one's repetitions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from scipy import stats

CONFIDENCE: Final = 0.95
FEWEST_REPETITIONS: Final = 3  # for an interval to be called one, as in the measurement contract
_EQUAL: Final = 1e-9  # of logarithms: closer values are the same, and have no spread to test with


@dataclass(frozen=True, kw_only=True)
class Ratio:
    """B over A; `p` is of the hypothesis that the two take equally long."""

    value: float
    low: float
    high: float
    p: float
    paired: bool


def paired(a_s: Sequence[float], b_s: Sequence[float]) -> Ratio:
    """Student's test on the logarithms of the quotients of repetitions that drew the same noise, in pairs.

    `a_s`, `b_s`: seconds [repetition], equally many, at least three, positive.
    """
    logs = np.log(b_s) - np.log(a_s)
    if np.ptp(logs) <= _EQUAL:
        return _without_spread(float(logs.mean()), paired=True)
    return _ratio(float(logs.mean()), stats.ttest_1samp(logs, 0.0), paired=True)


def welch(a_s: Sequence[float], b_s: Sequence[float]) -> Ratio:
    """Welch's test on the logarithms: the ratio of geometric means. Seconds [repetition], at least three each."""
    logs_a, logs_b = np.log(a_s), np.log(b_s)
    mean = float(logs_b.mean() - logs_a.mean())
    if np.ptp(logs_a) <= _EQUAL and np.ptp(logs_b) <= _EQUAL:
        return _without_spread(mean, paired=False)
    return _ratio(mean, stats.ttest_ind(logs_b, logs_a, equal_var=False), paired=False)


def adjusted(p_values: Sequence[float]) -> list[float]:
    """The p-values after Benjamini and Hochberg (1995), which bound the share of false findings among all found."""
    return [float(q) for q in stats.false_discovery_control(p_values, method="bh")] if p_values else []


def _ratio(mean: float, test: Any, paired: bool) -> Ratio:
    interval = test.confidence_interval(CONFIDENCE)
    low, high = math.exp(interval.low), math.exp(interval.high)
    return Ratio(value=math.exp(mean), low=low, high=high, p=float(test.pvalue), paired=paired)


def _without_spread(mean: float, paired: bool) -> Ratio:
    """Repetitions that differ all alike: equal, or different for certain."""
    value = math.exp(mean)
    return Ratio(value=value, low=value, high=value, p=1.0 if abs(mean) <= _EQUAL else 0.0, paired=paired)
