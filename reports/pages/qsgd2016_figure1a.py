"""QSGD 2016, figure 1a: the perceptron on MNIST, quantized in buckets of three sizes, beside SGD."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import pandas as pd

from reports.claims import Finding, Rule, Target
from reports.convergence import content, gain, ratio, require
from reports.effective_floats import BUCKETS, Part, with_floats
from reports.pages import Content, PageKind
from reports.training import Training

BETTER, NOT_WORSE = Target(high=1.0), Target(low=0.0)
IMPROVES = (
    "Rather surprisingly, in terms of both training negative log-likelihood loss and the test accuracy, QSGD improves "
    "performance."
)
WHOLE = Part(
    name="all layers",
    algorithm_codec=("qsgd", "qsgd"),
    paper={256: 88e3, 1024: 49e3, 4096: 29e3},
    parameters=3_256_330,
)
NAMED = {WHOLE.name: "we get roughly 88k, 49k, and 29k effective floats for bucket sizes d = 256, 1024, and 4096"}
NOTES = (
    "The paper trained on a single machine and quantized each gradient of 256 samples once. Here two workers quantize "
    "those of 128 samples each, whose mean has the noise of one such gradient.",
    "Quantized values do not depend on the code that they are sent in: losses are those of a code of fixed width, and "
    "Elias's, which takes longer to make, was counted apart.",
)


def _loss(bucket: int, training: Training) -> Iterator[Finding]:
    yield ratio(training, require(training, "qsgd", bucket=bucket), require(training, "allreduce"), BETTER)


def _accuracy(bucket: int, training: Training) -> Iterator[Finding]:
    yield gain(training, require(training, "qsgd", bucket=bucket), require(training, "allreduce"), NOT_WORSE)


def _rule(what: str, target: str, findings: Callable[[Training], Iterator[Finding]], bucket: int) -> Rule[Training]:
    return Rule(
        part="1a", claim=f"QSGD with d = {bucket} improves {what}", paper=IMPROVES, target=target, findings=findings
    )


RULES = (
    *(
        _rule("the training loss", f"last training loss over that of SGD {BETTER.text}", partial(_loss, bucket), bucket)
        for bucket in BUCKETS
    ),
    *(
        _rule(
            "the test accuracy",
            f"held-out accuracy less that of SGD {NOT_WORSE.text}",
            partial(_accuracy, bucket),
            bucket,
        )
        for bucket in BUCKETS
    ),
)


def build(table: pd.DataFrame) -> Content | None:
    """The page; None for a training of other systems."""
    if table.empty or not table["workload"].eq("mlp-4096").any():
        return None
    made = content(table, [("allreduce", None), ("qsgd", "qsgd")], RULES, "QSGD 2016, figure 1a", notes=NOTES)
    return made and with_floats(made, table, [WHOLE], "1a", NAMED)


TRAINING_PAGE = PageKind(
    name="qsgd2016-figure1a",
    title="QSGD on MNIST, by bucket size",
    source="Alistarh, Li, Tomioka, Vojnovic: Quantized Stochastic Gradient Descent: Communication versus Convergence, "
    "2016, section 4, figure 1a",
    build=build,
)
