"""Compute times drawn from a profile: seeded, so that every algorithm meets the same ones."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from testbed.profiles.profile import Lognormal, Profile, Sampled

Seconds = npt.NDArray[np.float64]


def compute_draws(
    profile: Profile, workload: str, batch_size: int, workers: int, steps: int, seed: int, repetition: int
) -> Seconds:
    """Seconds of compute of every worker at every step, float64 [workers, steps], mean as the profile says.

    A worker's draws depend on seed, repetition and its number alone: cells that differ in network or
    algorithm are compared on the same draws, and more steps or more workers leave the others' as they are.
    """
    compute = profile.compute_of(workload)
    factors = [
        relative_times(compute.spread, steps, np.random.default_rng((seed, repetition, worker)))
        for worker in range(workers)
    ]
    return compute.mean_s(batch_size) * np.stack(factors)


def relative_times(spread: Lognormal | Sampled, count: int, random: np.random.Generator) -> Seconds:
    """`count` independent factors whose expectation is 1, float64 [count]."""
    if isinstance(spread, Sampled):
        measured = np.asarray(spread.relative)
        return random.choice(measured / measured.mean(), count)
    # exp of a normal of variance v and mean -v/2 has mean 1 and coefficient of variation sqrt(exp(v) - 1)
    variance = math.log1p(spread.coefficient_of_variation.value**2)
    return np.exp(random.normal(-variance / 2, math.sqrt(variance), count))
