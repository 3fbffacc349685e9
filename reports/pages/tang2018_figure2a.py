"""Tang et al. 2018, figure 2a: loss against epochs, centralized and decentralized, with 32 and 8 bits."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from reports.claims import Finding, Rule, Target
from reports.convergence import AS_FAST, content, ratio, require
from reports.pages import Content, PageKind
from reports.training import Training

ALIKE = Target(low=0.8, high=1.25)
BITS = 8
MOST_WORKERS = 8  # figure 4a has the same systems on 16


def _decentralization(training: Training) -> Iterator[Finding]:
    yield ratio(training, require(training, "d-psgd"), require(training, "allreduce"), AS_FAST)


def _compression(training: Training) -> Iterator[Finding]:
    for algorithm in ("dcd-psgd", "ecd-psgd"):
        yield ratio(training, require(training, algorithm, bits=BITS), require(training, "allreduce"), AS_FAST)


def _alike(training: Training) -> Iterator[Finding]:
    ours, other = (require(training, algorithm, bits=BITS) for algorithm in ("dcd-psgd", "ecd-psgd"))
    yield ratio(training, ours, other, ALIKE)


HURTS = "with our algorithms, decentralization and compression would not hurt the convergence rate."
RULES = (
    Rule(
        part="2a",
        claim="Decentralization does not hurt convergence",
        paper=HURTS,
        target=f"last training loss of d-psgd over that of allreduce {AS_FAST.text}",
        findings=_decentralization,
    ),
    Rule(
        part="2a",
        claim="Nor does compression to 8 bits",
        paper=HURTS,
        target=f"the same of dcd-psgd and of ecd-psgd, 8 bits, {AS_FAST.text}",
        findings=_compression,
    ),
    Rule(
        part="2a",
        claim="Algorithms 1 and 2 converge alike",
        paper="DCD-PSGD has almost identical convergence behavior in this experiment.",
        target=f"last training loss of dcd-psgd over that of ecd-psgd {ALIKE.text}",
        findings=_alike,
    ),
)


def build(table: pd.DataFrame) -> Content | None:
    """The page; None for a training of other systems, or on more workers."""
    systems = [("allreduce", None), ("d-psgd", None), ("dcd-psgd", "qsgd"), ("ecd-psgd", "qsgd")]
    few = table[table["workers"] <= MOST_WORKERS] if "workers" in table.columns else table
    return content(few, systems, RULES, "Tang 2018, figure 2a")


TRAINING_PAGE = PageKind(
    name="tang2018-figure2a",
    title="Convergence by epochs, centralized and decentralized",
    source="Tang, Gan, Zhang, Zhang, Liu: Communication Compression for Decentralized Training, 2018, "
    "section 5.2, figure 2a",
    build=build,
)
