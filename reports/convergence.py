"""What claims about convergence are judged on: numbers at a training's end, seed by seed, clearly off chance."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import pandas as pd

from reports import curves
from reports.claims import Claim, Finding, Rule, Target, Untested, summary
from reports.pages import Content, Drawing
from reports.quantities import slug
from reports.systems import System
from reports.training import LARGEST_DELTA, Course, Training, over_seeds, trainings

SEEDS = 3  # fewer decide nothing
OFF_CHANCE = math.log(10) / 2  # half the loss of guessing among ten classes
AS_FAST = Target(high=1.25)  # of a ratio of losses; the papers have words and curves only
SLOWER = Target(low=1.25)
NOTE = (
    "The paper has curves and words, and few numbers: the targets are this project's reading of them, fixed "
    "beforehand. A number is the mean over the seeds, in brackets are the least and the largest; each compares "
    "trainings with the same seed. A verdict needs three seeds, and in what is compared with less than half the loss "
    "of guessing."
)


def ratio(training: Training, ours: System, other: System, target: Target) -> Finding:
    """Our training loss in the last epoch over another system's, which must be off chance; infinite if diverged."""
    base = require_off_chance(training, other)
    quotients = [a / b for a, b in zip(last_losses(training, ours), base, strict=True)]
    return Finding(f"last loss, {ours.label} : {other.label}", None, over_seeds(quotients), target)


def require_off_chance(training: Training, system: System) -> list[float]:
    """Its training loss in the last epoch, of each seed; Untested where one is not clearly below that of guessing."""
    losses = last_losses(training, system)
    if max(losses) >= OFF_CHANCE:
        raise Untested(
            f"the loss of {system.label} is still {max(losses):.3g}, not below {OFF_CHANCE:.3g}: train it for longer"
        )
    return losses


def fall(training: Training, system: System, target: Target) -> Finding:
    """The training loss of the last epoch over that of the first; infinite where it diverged."""
    course = training.courses[system]
    first = [course.values(seed, "train_loss").get(1, math.nan) for seed in training.seeds]
    quotients = [
        math.inf if math.isinf(last) else last / start
        for last, start in zip(last_losses(training, system), first, strict=True)
    ]
    return Finding(f"last loss : first, {system.label}", None, over_seeds(quotients), target)


def last_loss(training: Training, system: System, target: Target) -> Finding:
    """The training loss of the last epoch itself."""
    return Finding(f"last loss, {system.label}", None, over_seeds(last_losses(training, system)), target)


def gain(training: Training, ours: System, other: System, target: Target) -> Finding:
    """Our metric at the end less another system's."""
    _ = ratio(training, ours, other, target)  # for what it refuses
    pairs = zip(_ended(training, ours, "metric"), _ended(training, other, "metric"), strict=True)
    name = "/".join(training.facts["metric_name"])
    return Finding(
        f"{name}, {ours.label} less {other.label}", None, over_seeds([_less(a, b) for a, b in pairs]), target
    )


def delta(training: Training, system: System, target: Target) -> Finding:
    """The largest delta of any layer at the end of any epoch."""
    last_losses(training, system)
    by_seed = [training.courses[system].values(seed, LARGEST_DELTA) for seed in training.seeds]
    if not all(by_seed):
        raise Untested(f"no delta was recorded of {system.label}")
    largest = [max(by_epoch.values()) for by_epoch in by_seed]
    return Finding(f"largest delta of any layer, {system.label}", None, over_seeds(largest), target)


def last_losses(training: Training, system: System) -> list[float]:
    """Of each seed; Untested with too few, and where one has not ended."""
    return _ended(training, system, "train_loss")


def require(training: Training, algorithm: str, codec: str | None = None, **options: float) -> System:
    """The system; Untested where the training has none or several."""
    found = training.of(algorithm, codec, **options)
    if found is None:
        words = [algorithm, codec or "", *(f"{key} {value:g}" for key, value in options.items())]
        raise Untested(f"the training has no {' '.join(word for word in words if word)}")
    return found


def content(
    table: pd.DataFrame,
    systems: Sequence[tuple[str, str | None]],
    rules: Sequence[Rule[Training]],
    figure: str,
    more: Sequence[curves.Quantity] = (),
    notes: Sequence[str] = (),
) -> Content | None:
    """The page on the trainings that have all of these algorithms and codecs, and no others; None without one.

    `more` is drawn beside loss and metric; `notes` stand above the claims, after those of all pages.
    """
    shown = [training for training in trainings(table) if is_about(training, systems)]
    if not shown:
        return None
    claims = [rule.judge(training, training.size) for training in shown for rule in rules]
    return page(claims, shown, list(_drawings(shown, figure, more)), notes)


def page(
    claims: Sequence[Claim], shown: Sequence[Training], drawings: Sequence[Drawing], notes: Sequence[str] = ()
) -> Content:
    """Counted verdicts, what was trained, claims and figures."""
    sizes = dict.fromkeys(training.size for training in shown)
    return Content(
        summary=summary(claims),
        notes=[NOTE, *(f"Trained here: {size}." for size in sizes), *notes],
        claims=claims,
        drawings=drawings,
    )


def _drawings(shown: Sequence[Training], figure: str, more: Sequence[curves.Quantity]) -> Iterator[Drawing]:
    for number, training in enumerate(shown, 1):
        title = f"{figure}, trained again"
        drawn = curves.draw(training, (curves.TRAIN_LOSS, curves.metric(training), *more), title=title)
        if drawn:
            name = slug(figure) + (f"-{number}" if len(shown) > 1 else "")
            yield Drawing(name=name, figure=drawn, view=training, alt=f"{title}: {training.size}")


def is_about(training: Training, systems: Sequence[tuple[str, str | None]]) -> bool:
    """Whether it has just these algorithms, each with its codecs and no others where some are named."""
    has = {(system.algorithm, system.codec) for system in training.systems}
    named = set(systems)
    known = has | {(algorithm, None) for algorithm, _ in has}
    return named <= known and all({pair, (pair[0], None)} & named for pair in has)


def _ended(training: Training, system: System, column: str) -> list[float]:
    course, seeds = training.courses[system], training.seeds
    if len(seeds) < SEEDS:
        raise Untested(f"it takes {SEEDS} seeds, the training has {len(seeds)}")
    values = [_last(course, seed, column) for seed in seeds]
    if any(math.isnan(value) for value in values):
        raise Untested(f"not all seeds of {system.label} were trained to the end")
    return values


def _last(course: Course, seed: int, column: str) -> float:
    return course.last(seed, column) if seed in course.status else math.nan


def _less(ours: float, other: float) -> float:
    """A difference of metrics; a diverged training, whose metric is not known, is below everything."""
    return -math.inf if math.isinf(ours) else ours - other
