"""A check is a pair: what looks, and what repairs. A new one is a function in `software` or `machine`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How a check ended. Only `FAIL` keeps sweeps from running."""

    PASS = "pass"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True)
class Verdict:
    """What a check found and, unless it passed, what a person does about it."""

    level: Level
    found: str
    remedy: str = ""


def passed(found: str) -> Verdict:
    """All is well."""
    return Verdict(Level.PASS, found)


def warned(found: str, remedy: str) -> Verdict:
    """Sweeps run, but slower or not all of them."""
    return Verdict(Level.WARN, found, remedy)


def failed(found: str, remedy: str) -> Verdict:
    """Sweeps do not run."""
    return Verdict(Level.FAIL, found, remedy)


@dataclass(frozen=True, kw_only=True)
class Check:
    """What looks, and what repairs where that is safe to do unasked (`fix` is None where it is not)."""

    name: str
    look: Callable[[], Verdict]
    fix: Callable[[], object] | None = None
