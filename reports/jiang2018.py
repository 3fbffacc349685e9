"""Jiang & Agrawal 2018: what its figures have in common.

Its compression efficiency "represents the ratio of compressed data size to the original communication data size of
FULLSGD. For QSGD, the compression efficiency = number_of_bits_used/32" (section 5.1): a system that sends every p-th
step has a p-th of that. Number_of_bits_used is an average over components, here of all that was coded and counted.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from statistics import fmean

from reports.claims import Finding, Target, Untested
from reports.systems import System
from reports.training import Training, over_seeds
from reports.view import Interval

PAPER = (
    "Jiang and Agrawal: A Linear Speedup Analysis of Distributed Deep Learning with Sparse and Quantized "
    "Communication, 2018"
)
PERIOD = 8  # of PQASGD, in all figures
STANDARD_BITS = 32
ABOUT = 1.5  # times the paper's number of bits, or so much less: they depend on the model, its size and the data
NAMES = {
    "allreduce": "allreduce", "qsgd": "qsgd", "terngrad": "terngrad", "pqasgd": f"pqasgd p={PERIOD}", "psgd": "psgd",
    "rsgd": "rsgd",
}  # fmt: skip


def efficiency(training: Training, system: System) -> Interval:
    """The paper's ce over the seeds, each the mean of its epochs; nothing where no bits were counted."""
    course = training.courses[system]
    found = []
    for seed in training.seeds:
        bits = course.values(seed, "bits_per_component").values() if seed in course.epochs else ()
        found.append(fmean(bits) / STANDARD_BITS / _option(training, system, "period", 1) if bits else math.nan)
    return over_seeds(found)


def sent(training: Training, system: System, paper: float) -> Finding:
    """The ce of a system, to be about the paper's."""
    measured = efficiency(training, system)
    if math.isnan(measured.value):
        raise Untested(f"no bits were counted of {system.label}")
    return Finding(f"ce of {name(training, system)}", None, measured, about(paper))


def about(paper: float) -> Target:
    """Within a factor of the paper's ce."""
    return Target(low=round(paper / ABOUT, 3), high=round(paper * ABOUT, 3))


def name(training: Training, system: System) -> str:
    """Without its codec, and with q as the paper has it: over samples and steps."""
    q = _option(training, system, "q", math.nan)
    told = f" q=1/{1 / q:.0f}" if q < 1 else " q=1" if q == 1 else ""
    return NAMES.get(system.algorithm, system.label) + told


def names(training: Training) -> dict[System, str]:
    """For a legend, with ce in per cent."""
    return dict(_names(training))


def _names(training: Training) -> Iterator[tuple[System, str]]:
    for system in training.systems:
        value = efficiency(training, system).value
        yield system, name(training, system) + ("" if math.isnan(value) else f", ce {100 * value:.3g} %")


def _option(training: Training, system: System, key: str, default: float) -> float:
    """What a system's algorithm or codec was told, as a number."""
    for rows in training.courses[system].epochs.values():
        told = {**json.loads(rows[0]["codec_options"] or "{}"), **json.loads(rows[0]["algorithm_options"] or "{}")}
        if told.get(key) is not None:
            return float(told[key])
    return default
