"""Tang et al. 2018, "Communication Compression for Decentralized Training", figure 3: its claims as rules.

The paper gives words, no numbers; the targets are this project's reading of them, fixed here before any run.
The four panels are judged on a star of 8 workers, between the paper's own three systems. The paper names no
high latency; 20 ms is this project's choice.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import pandas as pd

from reports.claims import Claim, Finding, Rule, Target, Untested
from reports.quantities import TIMES, bandwidth_text, latency_text, printable
from reports.systems import STANDARD_BITS, System
from reports.view import Interval, Network, Point, View, views

TOPOLOGY, WORKERS = "star", 8
ALLREDUCE, FULL = ("allreduce", "fp32"), ("d-psgd", "fp32")
EIGHT_BIT = (("dcd-psgd", "qsgd"), ("ecd-psgd", "qsgd"))
LOW_LATENCY_S, HIGH_LATENCY_S = 0.13e-3, 20e-3
LOW_BIT_PER_S, GOOD_BIT_PER_S = 5e6, 1.4e9

ABOUT_EQUAL = Target(low=0.8, high=1.25)
A_QUARTER = Target(low=0.2, high=0.3)
FASTER = Target(high=1.0)
MUCH_FASTER = Target(high=0.8)  # beyond "about equal"
DRAMATIC = Target(low=2.0)


def tang_figure3_verdict(table: pd.DataFrame) -> list[Claim]:
    """Every claim of the figure, under every setting (device, compute scale, ...) that the table has."""
    found = tang_views(table)
    if not found:
        why = f"the table has no cells on a {TOPOLOGY} of {WORKERS} workers"
        return [rule.untested(why) for rule in RULES]
    return [rule.judge(view, setting_text(view)) for view in found for rule in RULES]


def tang_views(table: pd.DataFrame) -> list[View]:
    """The table's views on which the figure is judged."""
    wanted = (TOPOLOGY, WORKERS)
    return [v for v in views(table) if (v.setting["topology"], int(v.setting["workers"])) == wanted]


def three_systems(view: View) -> list[System]:
    """Those of the view's systems that are the paper's: allreduce, decentralized 32 bit and 8 bit."""
    return [system for name in (ALLREDUCE, FULL, *EIGHT_BIT) if (system := _system(view, name))]


def setting_text(view: View) -> str:
    """The view's device and compute scale, and whatever else tells repetitions of the figure apart."""
    kind = "/".join(view.facts["device_kind"]) or "kind unknown"
    others = [k for k in view.varied if k not in ("topology", "workers", "device", "compute_scale")]
    rest = "".join(f", {key} {view.setting[key]}" for key in others)
    return printable(f"{view.setting['device']} ({kind}), compute {TIMES}{view.setting['compute_scale']:g}{rest}")


def _system(view: View, name: tuple[str, str]) -> System | None:
    """The plainest system of that algorithm and codec, at 8 bits where it has bits."""
    fitting = (s for s in view.systems if (s.algorithm, s.codec) == name and s.bits in (0, STANDARD_BITS))
    return next(fitting, None)


def _point(view: View, name: tuple[str, str], network: Network) -> Point:
    """A system's measured, faithful point; Untested where there is none."""
    where = f"{' '.join(name)} at {bandwidth_text(network[0])}, {latency_text(network[1])}"
    point = view.point(_system(view, name), network)
    if point is None:
        raise Untested(f"the run has no cell for {where}")
    if point.failed:
        raise Untested(f"the cell failed: {where}: {point.reason}")
    if not point.faithful:
        raise Untested(f"the cell is unfaithful, its network's probe was off: {where}")
    return point


def _epochs(view: View, ours: tuple[str, str], other: tuple[str, str], at: Network, target: Target) -> Finding:
    """Our epoch time over the other's."""
    ratio = _point(view, ours, at).epoch_s.over(_point(view, other, at).epoch_s)
    return Finding(f"{' '.join(ours)} : {' '.join(other)}", at, ratio, target)


def _exactly(what: str, at: Network, ours: float, other: float) -> Finding:
    """A ratio of numbers without intervals, to be about a quarter."""
    if not (math.isfinite(ours) and other > 0):
        raise Untested(f"the table has no value for {what}")
    ratio = ours / other
    return Finding(what, at, Interval(ratio, ratio, ratio), A_QUARTER)


def _eight_bit(view: View) -> list[tuple[str, str]]:
    """The 8-bit systems that the run has. The paper calls them alike, so a claim must hold for each."""
    found = [name for name in EIGHT_BIT if _system(view, name)]
    if not found:
        raise Untested("the run has no decentralized 8-bit system (dcd-psgd or ecd-psgd with qsgd)")
    return found


def _between(values: list[float], low: float, high: float, ends: str) -> list[float]:
    """The run's values within the paper's range; Untested unless both of its ends are among them."""
    if low not in values or high not in values:
        raise Untested(f"the run lacks an end of the paper's range, {ends}")
    return [value for value in values if low <= value <= high]


def _bandwidths(view: View) -> list[float]:
    return _between(view.bandwidths, LOW_BIT_PER_S, GOOD_BIT_PER_S, "5 Mbit/s to 1.4 Gbit/s")


def _latencies(view: View) -> list[float]:
    return _between(view.latencies, LOW_LATENCY_S, HIGH_LATENCY_S, "0.13 ms to 20 ms")


def _a_bytes(view: View) -> Iterable[Finding]:
    at = (LOW_BIT_PER_S, LOW_LATENCY_S)
    full = _point(view, FULL, at).declared_bytes_per_step
    for name in _eight_bit(view):
        ours = _point(view, name, at).declared_bytes_per_step
        yield _exactly(f"declared bytes, {' '.join(name)} : {' '.join(FULL)}", at, ours, full)


def _a_communication(view: View) -> Iterable[Finding]:
    at = (LOW_BIT_PER_S, LOW_LATENCY_S)
    full = _point(view, FULL, at).parts_s["communicate"]
    for name in _eight_bit(view):
        ours = _point(view, name, at).parts_s["communicate"]
        yield _exactly(f"communication, {' '.join(name)} : {' '.join(FULL)}", at, ours, full)


def _a_no_advantage(view: View) -> Iterable[Finding]:
    for bandwidth in _bandwidths(view):
        yield _epochs(view, FULL, ALLREDUCE, (bandwidth, LOW_LATENCY_S), ABOUT_EQUAL)


def _a_eight_bit_wins(view: View) -> Iterable[Finding]:
    for name in _eight_bit(view):
        for other in (ALLREDUCE, FULL):
            yield _epochs(view, name, other, (LOW_BIT_PER_S, LOW_LATENCY_S), FASTER)


def _b_beginning(view: View) -> Iterable[Finding]:
    for name in (FULL, *_eight_bit(view)):
        yield _epochs(view, name, ALLREDUCE, (GOOD_BIT_PER_S, HIGH_LATENCY_S), MUCH_FASTER)


def _b_collapse(view: View) -> Iterable[Finding]:
    low, good = (LOW_BIT_PER_S, HIGH_LATENCY_S), (GOOD_BIT_PER_S, HIGH_LATENCY_S)
    growth = _point(view, FULL, low).epoch_s.over(_point(view, FULL, good).epoch_s)
    yield Finding("d-psgd fp32, 5 Mbit/s : 1.4 Gbit/s", low, growth, DRAMATIC)
    for name in _eight_bit(view):
        yield _epochs(view, FULL, name, low, DRAMATIC)


def _c_similar(view: View) -> Iterable[Finding]:
    for latency in _latencies(view):
        for name in _eight_bit(view):
            yield _epochs(view, name, FULL, (GOOD_BIT_PER_S, latency), ABOUT_EQUAL)


def _c_allreduce_slower(view: View) -> Iterable[Finding]:
    for name in (FULL, *_eight_bit(view)):
        yield _epochs(view, name, ALLREDUCE, (GOOD_BIT_PER_S, HIGH_LATENCY_S), FASTER)


def _d_only_eight_bit(view: View) -> Iterable[Finding]:
    for latency in _latencies(view):
        for name in _eight_bit(view):
            for other in (ALLREDUCE, FULL):
                yield _epochs(view, name, other, (LOW_BIT_PER_S, latency), MUCH_FASTER)


RULES = (
    Rule(
        part="a",
        claim="8 bits send about a quarter of the bytes of 32 bits",
        paper="it only needs to exchange around one fourth of full precision method's data amount",
        target="declared bytes per step, 8 bit : 32 bit, 0.2 to 0.3",
        findings=_a_bytes,
    ),
    Rule(
        part="a",
        claim="and so communicate in about a quarter of the time",
        paper="it only needs to exchange around one fourth of full precision method's data amount",
        target="communication time at 5 Mbit/s and 0.13 ms, 8 bit : 32 bit, 0.2 to 0.3",
        findings=_a_communication,
    ),
    Rule(
        part="a",
        claim="32-bit decentralized has no advantage over allreduce",
        paper="although in a decentralized way, full precision case has no advantage over allreduce in "
        "this situation, because they exchange exactly the same amount of data",
        target="epoch time at 0.13 ms, decentralized 32 bit : allreduce, 0.8 to 1.25 at every bandwidth",
        findings=_a_no_advantage,
    ),
    Rule(
        part="a",
        claim="8 bits win at the low end of bandwidth",
        paper="When the latency is low (Figure 3(a)), low precision algorithm is faster than its full "
        "precision counterpart",
        target="epoch time at 5 Mbit/s and 0.13 ms, 8 bit : each of the others, below 1",
        findings=_a_eight_bit_wins,
    ),
    Rule(
        part="b",
        claim="at high latency and bandwidth both decentralized systems beat allreduce clearly",
        paper="both full and low precision cases are much better than allreduce in the beginning",
        target="epoch time at 1.4 Gbit/s and 20 ms, decentralized : allreduce, below 0.8",
        findings=_b_beginning,
    ),
    Rule(
        part="b",
        claim="32 bits collapse as bandwidth falls",
        paper="full precision method gets worse dramatically with the decline of bandwidth",
        target="decentralized 32-bit epoch time at 5 Mbit/s and 20 ms above 2 times its own at 1.4 Gbit/s, "
        "and above 2 times that of 8 bit",
        findings=_b_collapse,
    ),
    Rule(
        part="c",
        claim="with good bandwidth 8 and 32 bits take similar time at every latency",
        paper="decentralized approaches with both full and low precision have similar epoch time because "
        "they have same number of communications",
        target="epoch time at 1.4 Gbit/s, 8 bit : 32 bit, 0.8 to 1.25 at every latency up to 20 ms",
        findings=_c_similar,
    ),
    Rule(
        part="c",
        claim="and allreduce is slower",
        paper="As is expected, allreduce is slower in this case.",
        target="epoch time at 1.4 Gbit/s and 20 ms, decentralized : allreduce, below 1",
        findings=_c_allreduce_slower,
    ),
    Rule(
        part="d",
        claim="at very low bandwidth only 8-bit decentralized is good",
        paper="only decentralized algorithm with low precision can achieve best performance among all implementations",
        target="epoch time at 5 Mbit/s, 8 bit : each of the others, below 0.8 at every latency up to 20 ms",
        findings=_d_only_eight_bit,
    ),
)
