"""QSGD's effective floats: what a coded gradient takes in units of 32 bits, the paper's, by its lemma, and counted."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import pandas as pd

from reports.claims import Finding, Rule, Target, Untested, summary
from reports.pages import Content, Grid
from reports.systems import System
from reports.training import Training, trainings
from reports.view import Interval

FLOAT_BITS = 32
BUCKETS = (256, 1024, 4096)
WITHIN = 1.25  # of the paper's numbers, which are approximate, either way
CODING = "coding=elias"
PAPER_SAYS = (
    "for each bucket we only need to communicate one float and the positions and signs of O(sqrt(d)) entries, each of "
    "which only requires O(log d) bits"
)


def _none(_: Training) -> int:
    return 0


@dataclass(frozen=True, kw_only=True)
class Part:
    """A way to quantize, with the paper's effective floats by bucket size, of a model of `parameters`."""

    name: str
    algorithm_codec: tuple[str, str]
    paper: Mapping[int, float]
    parameters: int
    exact: Callable[[Training], int] = _none  # of the components, those that are sent as they are


def by_lemma(components: int, bucket: int, exact: int = 0) -> float:
    """Lemma 2.2 for every bucket: sqrt(d) (log2 d + log2 2e) + 32 bits, in floats; `exact` components are one each."""
    bits = math.sqrt(bucket) * (math.log2(bucket) + math.log2(2 * math.e)) + FLOAT_BITS
    return exact + (components - exact) / bucket * bits / FLOAT_BITS


def counted(training: Training, part: Part, bucket: int) -> float:
    """Of a payload, the mean over all steps that Elias's code was counted in; Untested where it was in none."""
    system = _of(training, part, bucket)
    bits = [value for seed in training.seeds for value in _bits(training, system, seed)]
    if not bits:
        raise Untested(f"no bytes of {system.label} were counted")
    return sum(bits) / len(bits) * components(training) / FLOAT_BITS


def components(training: Training) -> int:
    """The model's parameters."""
    rows = (row for course in training.courses.values() for of in course.epochs.values() for row in of)
    return int(next(rows)["parameters"])


def rules(part: Part, figure: str, named: str) -> list[Rule[Training]]:
    """Of each bucket size, whether what was counted is what the paper says, and within its lemma."""
    return [
        rule for bucket in part.paper for rule in (_number(part, bucket, figure, named), _bound(part, bucket, figure))
    ]


def with_floats(
    content: Content, table: pd.DataFrame, parts: Sequence[Part], figure: str, named: Mapping[str, str]
) -> Content:
    """A page with the table of floats and the verdicts on it added, from the table's training in Elias's code."""
    coded = (found for found in trainings(table) if all(CODING in system.variant.split() for system in found.systems))
    training = next(coded, None)
    asked = [rule for part in parts for rule in rules(part, figure, named[part.name])]
    if training is None:
        added = [rule.untested("Elias's code was not counted in this training") for rule in asked]
    else:
        added = [rule.judge(training, f"counted: {training.size}") for rule in asked]
    claims = [*content.claims, *added]
    return replace(content, summary=summary(claims), claims=claims, grids=[*content.grids, _grid(training, parts)])


def _number(part: Part, bucket: int, figure: str, named: str) -> Rule[Training]:
    paper = part.paper[bucket]
    target = Target(low=paper / WITHIN, high=paper * WITHIN)

    def findings(training: Training) -> Iterator[Finding]:
        if components(training) != part.parameters:
            raise Untested(
                f"the paper's number is of {part.parameters:,} parameters, and this model was cut to "
                f"{components(training):,} (-full.yaml has all)"
            )
        yield _finding(training, part, bucket, target)

    return Rule(
        part=figure,
        claim=f"{part.name}, d = {bucket}: {_text(paper)} effective floats",
        paper=named,
        target=f"counted bytes of Elias's code / 4 within a factor of {WITHIN:g} of that",
        findings=findings,
    )


def _bound(part: Part, bucket: int, figure: str) -> Rule[Training]:
    def findings(training: Training) -> Iterator[Finding]:
        yield _finding(training, part, bucket, Target(high=_lemma(training, part, bucket)))

    return Rule(
        part=figure,
        claim=f"{part.name}, d = {bucket}: no more than lemma 2.2 says",
        paper=PAPER_SAYS,
        target="counted bytes of Elias's code / 4 below the lemma's number for this model",
        findings=findings,
    )


def _finding(training: Training, part: Part, bucket: int, target: Target) -> Finding:
    value = counted(training, part, bucket)
    return Finding(f"effective floats, d = {bucket}", None, Interval(value, value, value), target)


def _lemma(training: Training, part: Part, bucket: int) -> float:
    return by_lemma(components(training), bucket, part.exact(training))


def _grid(training: Training | None, parts: Sequence[Part]) -> Grid:
    rows = [[part.name, str(bucket), *_cells(training, part, bucket)] for part in parts for bucket in part.paper]
    return Grid(
        heading="Effective floats of a message",
        caption="What a coded gradient takes in units of 32 bits: the paper's number, and of the model trained here "
        "its lemma 2.2 and the bytes of Elias's code that were counted, divided by 4",
        header=["quantized", "bucket d", "paper", "lemma 2.2", "counted", "bits per component, counted"],
        rows=rows,
    )


def _cells(training: Training | None, part: Part, bucket: int) -> list[str]:
    if training is None:
        return [_text(part.paper[bucket]), "", "not counted", ""]
    known = [_text(part.paper[bucket]), _text(_lemma(training, part, bucket))]
    try:
        value = counted(training, part, bucket)
    except Untested:
        return [*known, "not counted", ""]
    return [*known, _text(value), f"{value * FLOAT_BITS / components(training):.3f}"]


def _of(training: Training, part: Part, bucket: int) -> System:
    algorithm, codec = part.algorithm_codec
    found = [
        system for system in training.systems
        if (system.algorithm, system.codec) == (algorithm, codec) and f"bucket={bucket}" in system.variant.split()
    ]  # fmt: skip
    if len(found) != 1:
        raise Untested(f"the training has no {algorithm} {codec} in buckets of {bucket}")
    return found[0]


def _bits(training: Training, system: System, seed: int) -> list[float]:
    return list(training.courses[system].values(seed, "bits_per_component").values())


def _text(floats: float) -> str:
    return f"{floats / 1e6:.3g} M" if floats >= 1e6 else f"{floats / 1e3:.3g} k"
