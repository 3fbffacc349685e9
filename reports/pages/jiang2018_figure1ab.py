"""Jiang & Agrawal 2018, figures 1a and 1b: psgd and rsgd with p = 2, 4, 8 beside FULLSGD."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pandas as pd

from reports.claims import Finding, Rule, Target
from reports.convergence import AS_FAST, content, gain, ratio, require
from reports.pages import Content, PageKind
from reports.systems import System
from reports.training import Training

PERIODS = (2, 4, 8)
NOT_BELOW = Target(low=-0.02)
NOTES = [
    "The paper, too, sees a gap with p = 8, which narrows as the training proceeds: its bound (equation 12) needs "
    "steps in proportion to the square of p. Its 160 epochs of CIFAR-10 are 31,000 steps, the training that is cut to "
    "two cores has 960. A model that knows its samples by heart has a loss near zero, where ratios are large though "
    "models answer alike.",
]


def _systems(training: Training, algorithm: str) -> list[System]:
    return [require(training, algorithm, period=period) for period in PERIODS]


def _as_fast(algorithm: str, training: Training) -> Iterator[Finding]:
    for system in _systems(training, algorithm):
        yield ratio(training, system, require(training, "allreduce"), AS_FAST)


def _as_accurate(algorithm: str, training: Training) -> Iterator[Finding]:
    for system in _systems(training, algorithm):
        yield gain(training, system, require(training, "allreduce"), NOT_BELOW)


RULES = (
    *(
        Rule(
            part="1a",
            claim=f"{algorithm} converges almost as fast as FULLSGD",
            paper="PSGD and RSGD with p ranging from 2 to 8 converge almost as fast as FULLSGD.",
            target=f"last training loss over that of allreduce {AS_FAST.text} for p = 2, 4 and 8",
            findings=partial(_as_fast, algorithm),
        )
        for algorithm in ("psgd", "rsgd")
    ),
    *(
        Rule(
            part="1b",
            claim=f"{algorithm} is as accurate as FULLSGD",
            paper="PSGD/RSGD achieve test accuracy comparable to that of FULLSGD",
            target=f"held-out accuracy less that of allreduce {NOT_BELOW.text} for p = 2, 4 and 8",
            findings=partial(_as_accurate, algorithm),
        )
        for algorithm in ("psgd", "rsgd")
    ),
)


def build(table: pd.DataFrame) -> Content | None:
    """The page; None for a training of other systems."""
    systems = [("allreduce", None), ("psgd", None), ("rsgd", None)]
    return content(table, systems, RULES, "Jiang & Agrawal 2018, figures 1a and 1b", notes=NOTES)


TRAINING_PAGE = PageKind(
    name="jiang2018-figure1ab",
    title="Periodic and rotating averaging beside FULLSGD",
    source="Jiang and Agrawal: A Linear Speedup Analysis of Distributed Deep Learning with Sparse and Quantized "
    "Communication, 2018, section 5.1, figures 1a and 1b",
    build=build,
)
