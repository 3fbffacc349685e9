"""A cell's steps in time and what happened to its links, as the table's column `timeline` tells it."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from reports.quantities import printable


@dataclass(frozen=True, kw_only=True)
class Run:
    """The steps of one repetition."""

    edges_s: tuple[float, ...]  # when each step began, and when the last one ended
    step_s: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class Mark:
    """A change of the links; times are means over the repetitions that it reached, None where it reached none."""

    text: str
    applied_s: float | None
    ended_s: float | None  # of links that were down: when they were up again


@dataclass(frozen=True, kw_only=True)
class Timeline:
    """One cell. Times are in seconds since the first step of a repetition began."""

    runs: tuple[Run, ...]
    marks: tuple[Mark, ...]


def read(text: str) -> Timeline:
    """The timeline in a table's field."""
    values = json.loads(text)
    return Timeline(
        runs=tuple(_run(one["begins_s"], one["step_s"]) for one in values["repetitions"]),
        marks=tuple(
            Mark(text=printable(one["text"]), applied_s=_mean(one["applied_s"]), ended_s=_mean(one["ended_s"]))
            for one in values["changes"]
        ),
    )


def _run(begins_s: float, step_s: Sequence[float]) -> Run:
    return Run(edges_s=tuple(itertools.accumulate(step_s, initial=begins_s)), step_s=tuple(step_s))


def _mean(times_s: Sequence[float | None]) -> float | None:
    reached = [time_s for time_s in times_s if time_s is not None]
    return fmean(reached) if reached else None
