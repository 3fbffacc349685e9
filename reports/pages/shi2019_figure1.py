"""Shi et al. 2019, figure 1: gtopk at c = 1000 beside S-SGD, and its delta."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from reports import curves
from reports.claims import Finding, Rule, Target
from reports.convergence import AS_FAST, content, delta, ratio, require
from reports.pages import Content, PageKind
from reports.training import Training

BELOW_ONE = Target(high=1.0)
NOTES = [
    "Delta of a layer is what gtopk leaves of the sum of the workers' vectors, over what as many random components "
    "would leave. Of a layer of few components, such as biases, often none or one is selected: its delta is about 1, "
    "and above where a merge of the tree dropped a worker's share of what was selected.",
]


def _delta(training: Training) -> Iterator[Finding]:
    yield delta(training, require(training, "gtopk"), BELOW_ONE)


def _as_fast(training: Training) -> Iterator[Finding]:
    yield ratio(training, require(training, "gtopk"), require(training, "allreduce"), AS_FAST)


RULES = (
    Rule(
        part="1",
        claim="Assumption 1 holds: delta is below 1",
        paper="It can be seen that we always have delta < 1, which verifies the soundness of Assumption 1.",
        target=f"the largest delta of any layer at the end of any epoch {BELOW_ONE.text}",
        findings=_delta,
    ),
    Rule(
        part="1",
        claim="gtopk converges as fast as S-SGD",
        paper="the convergences of gTop-k S-SGD are nearly consistent with S-SGD",
        target=f"last training loss of gtopk over that of allreduce {AS_FAST.text}",
        findings=_as_fast,
    ),
)


def build(table: pd.DataFrame) -> Content | None:
    """The page; None for a training of other systems."""
    return content(table, [("allreduce", None), ("gtopk", None)], RULES, "Shi 2019, figure 1", [curves.DELTA], NOTES)


TRAINING_PAGE = PageKind(
    name="shi2019-figure1",
    title="gtopk beside S-SGD, and its delta",
    source="Shi, Zhao, Wang, Tang and Chu: A Convergence Analysis of Distributed SGD with Communication-Efficient "
    "Gradient Sparsification, 2019, section 5.2, figure 1",
    build=build,
)
