"""A check is a pair: what looks, and what repairs. Checks stand in sections, one for each lab and extra."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum


class Level(StrEnum):
    """How a check ended. Only `FAIL` keeps a lab from working."""

    PASS = "pass"
    WARN = "warn"
    FAIL = "fail"
    SKIP = "skip"  # not looked at, or not needed


@dataclass(frozen=True)
class Verdict:
    """What a check found and, unless it passed, what a person does about it. `facts` are for programs."""

    level: Level
    found: str
    remedy: str = ""
    facts: Mapping[str, object] = field(default_factory=dict)  # JSON-able


def passed(found: str, **facts: object) -> Verdict:
    """All is well."""
    return Verdict(Level.PASS, found, facts=facts)


def warned(found: str, remedy: str, **facts: object) -> Verdict:
    """Sweeps run, but slower or not all of them."""
    return Verdict(Level.WARN, found, remedy, facts)


def failed(found: str, remedy: str) -> Verdict:
    """The lab does not work."""
    return Verdict(Level.FAIL, found, remedy)


def skipped(found: str, remedy: str = "") -> Verdict:
    """Not looked at, or absent and not needed."""
    return Verdict(Level.SKIP, found, remedy)


@dataclass(frozen=True, kw_only=True)
class Check:
    """What looks, and what repairs where that is safe to do unasked (`fix` is None where it is not)."""

    name: str
    look: Callable[[], Verdict]
    fix: Callable[[], object] | None = None


class Scope(StrEnum):
    """What a section's failures keep from working."""

    ALL = "all"  # every lab
    LAB = "lab"  # the lab whose section it is
    EXTRA = "extra"  # no lab: what only some sweeps ask for


@dataclass(frozen=True, kw_only=True)
class Section:
    """Checks that belong together; of a lab, `name` is the lab's."""

    name: str
    scope: Scope
    checks: Sequence[Check]
    optional: bool = False  # a lab that few have: what it lacks is a warning, not a failure
