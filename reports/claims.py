"""A paper's claims, the rules that decide them, and the judgement on a run."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, Protocol, TypeVar

from reports.quantities import bandwidth_text, latency_text
from reports.view import Interval, Network


class Judged(Protocol):
    """What claims are judged on: a sweep's view, a training."""

    @property
    def basis(self) -> str:
        """Ends the sentence `every number lies in its target`: in how many repetitions or seeds."""


On = TypeVar("On", bound=Judged)


class Verdict(StrEnum):
    """Whether the measurement bears the claim out."""

    AGREE = "agree"
    DISAGREE = "disagree"
    NOT_TESTED = "not tested"


class Untested(Exception):  # noqa: N818 (an outcome, not an error)
    """The run cannot decide the claim; the message says why."""


@dataclass(frozen=True, kw_only=True)
class Claim:
    """One claim of a paper under one setting of ours, judged."""

    part: str  # of the paper's figure
    claim: str
    paper: str  # the paper's own words
    target: str
    measured: str
    verdict: Verdict
    why: str
    setting: str


@dataclass(frozen=True, kw_only=True)
class Target:
    """Values that bear a claim out. Where the paper has words only, the numbers are our reading of them."""

    low: float = -math.inf
    high: float = math.inf

    @property
    def text(self) -> str:
        """In words."""
        if math.isinf(self.high):
            return f"above {self.low:g}"
        return f"below {self.high:g}" if math.isinf(self.low) else f"{self.low:g} to {self.high:g}"

    def judge(self, measured: Interval) -> Verdict:
        """Agree with the whole interval inside, disagree with all of it outside, otherwise not tested."""
        if self.low <= measured.low and measured.high <= self.high:
            return Verdict.AGREE
        if measured.high < self.low or measured.low > self.high:
            return Verdict.DISAGREE
        return Verdict.NOT_TESTED


@dataclass(frozen=True)
class Finding:
    """A measured number, the network it was measured on, and where it should lie."""

    what: str
    where: Network | None  # None of a training, whose losses do not depend on one
    measured: Interval
    target: Target

    @property
    def verdict(self) -> Verdict:
        """On this number alone."""
        return self.target.judge(self.measured)

    @property
    def text(self) -> str:
        """The number, its interval and its network."""
        m = self.measured
        place = f" at {bandwidth_text(self.where[0])}, {latency_text(self.where[1])}" if self.where else ""
        return f"{self.what} is {m.value:.3g} ({m.low:.3g} to {m.high:.3g}){place}"


@dataclass(frozen=True, kw_only=True)
class Rule(Generic[On]):
    """A claim and the findings that decide it; `findings` raises Untested where a run cannot."""

    part: str
    claim: str
    paper: str
    target: str
    findings: Callable[[On], Iterable[Finding]]

    def judge(self, on: On, setting: str) -> Claim:
        """The claim with its verdict."""
        try:
            found = list(self.findings(on))
        except Untested as reason:
            return self.untested(str(reason), setting)
        return self._claim(setting, together(f.verdict for f in found), _measured(found), _why(found, on))

    def untested(self, why: str, setting: str = "") -> Claim:
        """The claim, not tested."""
        return self._claim(setting, Verdict.NOT_TESTED, "", why)

    def _claim(self, setting: str, verdict: Verdict, measured: str, why: str) -> Claim:
        return Claim(part=self.part, claim=self.claim, paper=self.paper, target=self.target,
                     measured=measured, verdict=verdict, why=why, setting=setting)  # fmt: skip


def summary(claims: Sequence[Claim]) -> str:
    """How many judgements there are, and of which verdicts."""
    return f"{len(claims)} judgements: {counted(claims)}."


def counted(claims: Sequence[Claim]) -> str:
    """How many of each verdict, in words."""
    counts = Counter(claim.verdict for claim in claims)
    return ", ".join(f"{counts[verdict]} {verdict}" for verdict in Verdict if counts[verdict]) or "none"


def together(verdicts: Iterable[Verdict]) -> Verdict:
    """The verdict on a claim with several findings: it fails with any of them, and holds only with all."""
    found = set(verdicts)
    if Verdict.DISAGREE in found:
        return Verdict.DISAGREE
    return Verdict.AGREE if found == {Verdict.AGREE} else Verdict.NOT_TESTED


def _measured(findings: Sequence[Finding]) -> str:
    """Per compared pair the number, or its range over the networks."""
    parts = []
    for what in dict.fromkeys(finding.what for finding in findings):
        values = [finding.measured.value for finding in findings if finding.what == what]
        several = f" to {max(values):.3g} over {len(values)} networks" if len(values) > 1 else ""
        parts.append(f"{what} {min(values):.3g}{several}")
    return "; ".join(parts)


def _why(findings: Sequence[Finding], on: Judged) -> str:
    """The findings that decided against the claim or left it open; otherwise what the judgement rests on."""
    for verdict, text in (
        (Verdict.DISAGREE, "outside"),
        (Verdict.NOT_TESTED, "its interval straddles an end of"),
    ):
        deciding = [f for f in findings if f.verdict is verdict]
        if deciding:
            more = f"; and {len(deciding) - 3} more" if len(deciding) > 3 else ""
            return "; ".join(f"{f.text}, {text} {f.target.text}" for f in deciding[:3]) + more
    if all(f.measured.low == f.measured.high < math.inf for f in findings):
        return "every number lies in its target; it is a ratio of counts or means and has no interval"
    return f"every number lies in its target{on.basis}"
