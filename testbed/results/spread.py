"""From step times to an epoch and its confidence interval, as the measurement contract defines them."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

from scipy.stats import t as student

CONFIDENCE = 0.95
FEWEST_REPETITIONS = 3  # for an interval to be called one


def steps_per_epoch(samples: int, workers: int, batch_size: int) -> int:
    """ceil(samples / (workers x batch)); `batch_size` is per worker."""
    return math.ceil(samples / (workers * batch_size))


def epochs_from_steps(repetitions: Sequence[Sequence[float]], steps: int) -> list[float]:
    """Each repetition's epoch: `steps` times its mean step. `repetitions`: seconds, [repetition][step]."""
    return [steps * statistics.fmean(step_s) for step_s in repetitions]


def epochs_measured(repetitions: Sequence[Sequence[float]]) -> list[float]:
    """Each repetition's epoch in seconds where a repetition is a whole epoch: the sum of its steps."""
    return [math.fsum(step_s) for step_s in repetitions]


def half_interval(values: Sequence[float]) -> float:
    """Half of Student's 95 % interval of the mean, t(n - 1) s / sqrt(n); nan for fewer than 3 values."""
    count = len(values)
    if count < FEWEST_REPETITIONS:
        return math.nan
    quantile = float(student.ppf((1 + CONFIDENCE) / 2, count - 1))
    return quantile * statistics.stdev(values) / math.sqrt(count)


def mean_over_steps(repetitions: Sequence[Sequence[float]]) -> float:
    """The mean over all steps of all repetitions, each step with equal weight."""
    return statistics.fmean(value for step_s in repetitions for value in step_s)
