"""Jiang & Agrawal 2018, section 5.2: the same systems on AN4, an LSTM with connectionist temporal classification."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

import pandas as pd

from reports import curves
from reports.claims import Finding, Rule, Untested
from reports.convergence import AS_FAST, is_about, last_losses, page, require
from reports.jiang2018 import PAPER, names
from reports.pages import Content, Drawing, PageKind
from reports.training import Training, over_seeds, trainings

SYSTEMS = ("psgd", "rsgd", "qsgd", "pqasgd")
LEARNT = 0.5  # half the label error rate of who recognises nothing
FIGURE = "Jiang & Agrawal 2018, AN4"


def _as_fast(algorithm: str, training: Training) -> Iterator[Finding]:
    ours, other = require(training, algorithm), require(training, "allreduce")
    quotients = zip(last_losses(training, ours), last_losses(training, other), strict=True)
    worst = max(training.courses[other].last(seed, "metric") for seed in training.seeds)
    if not worst < LEARNT:
        raise Untested(
            f"the label error rate of {other.label} is still {worst:.3g}, not below {LEARNT:g}: train it for longer"
        )
    yield Finding(f"last loss, {ours.label} : {other.label}", None, over_seeds([a / b for a, b in quotients]), AS_FAST)


RULES = tuple(
    Rule(
        part="AN4",
        claim=f"{algorithm} converges as FULLSGD does",
        paper="The results on speech recognition follow the same pattern as for image classification.",
        target=f"last training loss over that of allreduce {AS_FAST.text}, with its label error rate below {LEARNT:g}",
        findings=partial(_as_fast, algorithm),
    )
    for algorithm in SYSTEMS
)


def build(table: pd.DataFrame) -> Content | None:
    """The page; None for a training of other systems, or of another workload."""
    systems = [("allreduce", None), *((algorithm, None) for algorithm in SYSTEMS)]
    found = [one for one in trainings(table) if one.setting["workload"] == "lstm-an4"]
    shown = [one for one in found if is_about(one, systems)]
    if not shown:
        return None
    claims = [rule.judge(one, one.size) for one in shown for rule in RULES]
    return page(claims, shown, list(_drawings(shown)))


def _drawings(shown: Sequence[Training]) -> Iterator[Drawing]:
    for number, training in enumerate(shown, 1):
        title = f"{FIGURE}, trained again"
        quantities = (curves.TRAIN_LOSS, curves.metric(training))
        if figure := curves.draw(training, quantities, title=title, names=names(training)):
            name = "jiang2018-an4" + (f"-{number}" if len(shown) > 1 else "")
            yield Drawing(name=name, figure=figure, view=training, alt=f"{title}: {training.size}")


TRAINING_PAGE = PageKind(
    name="jiang2018-an4",
    title="Speech: sparse and quantized averages",
    source=f"{PAPER}, section 5.2 (the paper's curves are in its supplement)",
    build=build,
)
