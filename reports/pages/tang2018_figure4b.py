"""Tang et al. 2018, figure 4b: algorithms 1 and 2 on 16 workers at 4 bits, with two kinds of codec."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import pandas as pd

from reports.claims import Finding, Rule, Target
from reports.convergence import SLOWER, content, fall, ratio, require
from reports.pages import Content, PageKind
from reports.training import Training

BITS = 4
CODECS = {"qsgd": "steps that follow the norm", "grid": "fixed steps"}
REDUCED = Target(high=0.8)
NOTES = [
    "Theory asks ecd-psgd's codec for noise that is bounded whatever is sent (assumption 2), and sends "
    "x + (t/2) (x' - x), which grows with t. Noise that follows the norm grows with it, and feeds the next difference. "
    "Fixed steps of 4 bits cut off what has grown beyond them, which is no longer unbiased; wider steps are noise as "
    "large as the model. dcd-psgd sends differences, which shrink, and what is cut off of one is in the next.",
]
DIVERGED = Target(low=1.0)


def _slower(codec: str, training: Training) -> Iterator[Finding]:
    ours = require(training, "dcd-psgd", codec, bits=BITS)
    yield ratio(training, ours, require(training, "allreduce"), SLOWER)
    yield fall(training, ours, REDUCED)


def _diverges(codec: str, training: Training) -> Iterator[Finding]:
    yield fall(training, require(training, "ecd-psgd", codec, bits=BITS), DIVERGED)


def _rules(codec: str, words: str) -> Iterator[Rule[Training]]:
    slower: Callable[[Training], Iterator[Finding]] = partial(_slower, codec)
    diverges: Callable[[Training], Iterator[Finding]] = partial(_diverges, codec)
    yield Rule(
        part="4b",
        claim=f"At 4 bits dcd-psgd converges more slowly than allreduce, but does; {codec}, {words}",
        paper="For Alg. 1, although it converges much slower than allreduce, its training loss keeps reducing.",
        target=f"last training loss over that of allreduce {SLOWER.text}, and over that of its own first epoch "
        f"{REDUCED.text}",
        findings=slower,
    )
    yield Rule(
        part="4b",
        claim=f"At 4 bits ecd-psgd diverges; {codec}, {words}",
        paper="However, Alg. 2 just diverges in the beginning of training.",
        target=f"last training loss over that of its own first epoch {DIVERGED.text}, or it diverged",
        findings=diverges,
    )


RULES = tuple(rule for codec, words in CODECS.items() for rule in _rules(codec, words))


def build(table: pd.DataFrame) -> Content | None:
    """The page; None for a training of other systems."""
    systems = [("allreduce", None), *((name, codec) for name in ("dcd-psgd", "ecd-psgd") for codec in CODECS)]
    return content(table, systems, RULES, "Tang 2018, figure 4b", notes=NOTES)


TRAINING_PAGE = PageKind(
    name="tang2018-figure4b",
    title="4 bits on 16 workers",
    source="Tang, Gan, Zhang, Zhang, Liu: Communication Compression for Decentralized Training, 2018, "
    "section 5.4, figure 4b",
    build=build,
)
