"""Tang et al. 2018, figure 1: d-psgd beside d-psgd with naively compressed models."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import pandas as pd

from reports.claims import Finding, Rule, Target
from reports.convergence import OFF_CHANCE, content, last_loss, ratio, require
from reports.pages import Content, PageKind
from reports.training import Training

CONVERGES = Target(high=OFF_CHANCE)
DOES_NOT = Target(low=1.5)
BITS = (8, 4)
NOTES = [
    "What an exchange of compressed models adds to them does not shrink with the rate. With the codec's default, the "
    "largest of 512 values divided into 2^(bits-1) - 1 levels, that is about 1 % of a Gaussian model at 8 bits and "
    "18 % at 4, in each step. Gradients correct it while the rate is high: it shows after the rate has dropped, and of "
    "few bits long before it does of many: at 8 bits it takes 324 times as many steps to add up to as much as at 4.",
]


def _converges(training: Training) -> Iterator[Finding]:
    yield last_loss(training, require(training, "d-psgd"), CONVERGES)


def _does_not(bits: int, training: Training) -> Iterator[Finding]:
    yield ratio(training, require(training, "naive", bits=bits), require(training, "d-psgd"), DOES_NOT)


def _naive(bits: int) -> Rule[Training]:
    findings: Callable[[Training], Iterator[Finding]] = partial(_does_not, bits)
    return Rule(
        part="1",
        claim=f"With naively compressed models, {bits} bits, d-psgd does not converge",
        paper="Unfortunately, such naive combination does not work even using the unbiased stochastic compression and "
        "diminishing learning rate as shown in Figure 1.",
        target=f"its last training loss is {DOES_NOT.text} times that of d-psgd, or it diverged. The paper does not "
        "name the compression",
        findings=findings,
    )


RULES = (
    Rule(
        part="1",
        claim="d-psgd with full precision converges",
        paper="D-PSGD vs. D-PSGD with naive compression",
        target=f"last training loss {CONVERGES.text}, half that of guessing",
        findings=_converges,
    ),
    *(_naive(bits) for bits in BITS),
)


def build(table: pd.DataFrame) -> Content | None:
    """The page; None for a training of other systems."""
    return content(table, [("d-psgd", None), ("naive", None)], RULES, "Tang 2018, figure 1", notes=NOTES)


TRAINING_PAGE = PageKind(
    name="tang2018-figure1",
    title="Naive compression does not converge",
    source="Tang, Gan, Zhang, Zhang, Liu: Communication Compression for Decentralized Training, 2018, "
    "section 3, figure 1",
    build=build,
)
