"""QSGD 2016, figure 1b: a small VGG, its fully connected layers quantized or all of it, beside SGD."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial

import pandas as pd

from reports.claims import Finding, Rule, Target
from reports.convergence import AS_FAST, content, gain, ratio, require
from reports.effective_floats import BUCKETS, Part, with_floats
from reports.pages import Content, PageKind
from reports.training import Training

WORKLOAD = "vgg-qsgd"
PARAMETERS = 22_543_050
CHANNELS = 64  # of the first block, where the workload's options say nothing
NO_LESS, WORSE, LESS = Target(low=-0.02), Target(low=1.0), Target(high=0.0)
WITHOUT_LOSS = (
    "When we only quantized the fully connected layers, we have found that the bucket size can be increased without "
    "much loss in accuracy"
)
NOTICEABLE = (
    "when we also applied the quantization to the convolutional layers, we observed a noticeable increase in the "
    "training objective as well as reduction in the test accuracy"
)


def exact(training: Training) -> int:
    """The parameters of nine convolutions, which by-layer sends as they are."""
    options = json.loads(training.setting["workload_options"] or "{}")
    c = int(options.get("channels", CHANNELS))
    return _convolution(3, c) + _convolution(c, c) + _convolution(c, 2 * c) + 6 * _convolution(2 * c, 2 * c)


def _convolution(channels_in: int, channels: int) -> int:
    return (9 * channels_in + 1) * channels


LINEAR = Part(
    name="fully connected layers",
    algorithm_codec=("allreduce", "by-layer"),
    paper={256: 1.5e6, 1024: 1.3e6, 4096: 1.2e6},
    parameters=PARAMETERS,
    exact=exact,
)
WHOLE = Part(
    name="all layers",
    algorithm_codec=("qsgd", "qsgd"),
    paper={256: 580e3, 1024: 312e3, 4096: 176e3},
    parameters=PARAMETERS,
)
NAMED = {
    LINEAR.name: "The effective number of floats to be communicated are 1.5 million, 1.3 million, and 1.2 million for "
    "bucket sizes d = 256, 1024, and 4096, respectively",
    WHOLE.name: "The effective number of floats to be communicated are 580k, 312k, 176k, respectively",
}
NOTES = (
    "The paper trained on a single machine, on shifted and mirrored images, and names no batch, rate or number of "
    "epochs. Here two workers quantize the gradients of their own samples, at VGG's own rate, and nothing is shifted "
    "or mirrored.",
    "The paper's increase is noticeable, of no size: a training of all layers that learns nothing, or diverges, agrees "
    "too, although the paper's words are milder.",
    "allreduce with by-layer quantizes the fully connected layers and sends convolutions as float32; qsgd quantizes "
    "all layers.",
    "Quantized values do not depend on the code that they are sent in: losses are those of a code of fixed width, and "
    "Elias's, which takes longer to make, was counted apart.",
)


def _loss(part: Part, target: Target, bucket: int, training: Training) -> Iterator[Finding]:
    ours = require(training, *part.algorithm_codec, bucket=bucket)
    yield ratio(training, ours, require(training, "allreduce", "fp32"), target)


def _accuracy(part: Part, target: Target, bucket: int, training: Training) -> Iterator[Finding]:
    ours = require(training, *part.algorithm_codec, bucket=bucket)
    yield gain(training, ours, require(training, "allreduce", "fp32"), target)


def _rules(part: Part, words: tuple[str, str], paper: str, loss: Target, accuracy: Target) -> list[Rule[Training]]:
    """Of losses and accuracies, for each bucket size."""
    kinds = (
        (words[0], f"last training loss over that of SGD {loss.text}", partial(_loss, part, loss)),
        (words[1], f"held-out accuracy less that of SGD {accuracy.text}", partial(_accuracy, part, accuracy)),
    )
    return [
        Rule(
            part="1b",
            claim=f"{part.name}, d = {bucket}: {what}",
            paper=paper,
            target=target,
            findings=partial(findings, bucket),
        )
        for what, target, findings in kinds
        for bucket in BUCKETS
    ]


RULES = (
    *_rules(LINEAR, ("learns as fast as SGD", "not much loss in accuracy"), WITHOUT_LOSS, AS_FAST, NO_LESS),
    *_rules(WHOLE, ("a larger training loss", "a lower accuracy"), NOTICEABLE, WORSE, LESS),
)


def build(table: pd.DataFrame) -> Content | None:
    """The page; None for a training of other systems."""
    if table.empty or not table["workload"].eq(WORKLOAD).any():
        return None
    systems = [("allreduce", "fp32"), LINEAR.algorithm_codec, WHOLE.algorithm_codec]
    made = content(table, systems, RULES, "QSGD 2016, figure 1b", notes=NOTES)
    return made and with_floats(made, table, [LINEAR, WHOLE], "1b", NAMED)


TRAINING_PAGE = PageKind(
    name="qsgd2016-figure1b",
    title="QSGD on a small VGG, its fully connected layers quantized or all",
    source="Alistarh, Li, Tomioka, Vojnovic: Quantized Stochastic Gradient Descent: Communication versus Convergence, "
    "2016, section 4, figure 1b",
    build=build,
)
