"""Checks of the host lab: every need of its own list, CUBIC, and how exact its delays are on this machine."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import asdict

from testbed.doctor.check import Check, Verdict, failed, passed, skipped, warned
from testbed.labs import native
from testbed.labs.host import congestion, exactness, requirements
from testbed.labs.host.requirements import BACKENDS, NEEDS, UNTRIED, Lacks, Need, Role

_Find = Callable[[], Lacks]


def checks() -> tuple[Check, ...]:
    """The checks; all needs are tried together when the first of them is looked at."""
    find = functools.cache(requirements.lacks)
    return (
        *(Check(name=need.name, look=functools.partial(_met, need, find)) for need in NEEDS),
        Check(name="TCP's CUBIC", look=cubic, fix=congestion.allow_cubic),
        Check(name="delays", look=lambda: delays(find())),
    )


def _met(need: Need, find: _Find) -> Verdict:
    return verdict(need, find())


def verdict(need: Need, found: Lacks) -> Verdict:
    """What it means for the lab whether a need is met."""
    lack = found.get(need.name)
    if lack is None:
        return passed("there")
    if lack == UNTRIED:
        return skipped(lack)
    if need.role is Role.UNUSED:
        return skipped(f"absent ({lack}); the lab does not use it")
    if need.role is Role.USEFUL:
        return warned(f"refused ({lack})", need.remedy)
    way = requirements.backend(found)
    if need.role in BACKENDS and way is not None:
        return skipped(f"absent ({lack}); delays are made by {way}")
    return failed(lack, need.remedy)


def cubic() -> Verdict:
    """Whether emulated hosts may choose CUBIC, whatever the machine itself uses."""
    if congestion.allowed():
        return passed("allowed")
    if not congestion.available():
        return failed("not in this kernel, or not loaded", "modprobe tcp_cubic")
    return warned(
        "not allowed in new network namespaces",
        f"`gradwire doctor --fix` as root adds it to {congestion.SETTING}; so does the lab when it is used",
    )


def delays(found: Lacks) -> Verdict:
    """What delays packets here, and how exact that is, measured on two emulated hosts."""
    if (lack := requirements.missing(found)) is not None:
        return skipped("not measured: the lab does not work here", lack.partition(": ")[2])
    if not congestion.allowed():
        return skipped("not measured: hosts may not choose CUBIC yet")
    helpers = native.find()
    if helpers is None:
        return skipped("not measured: the C helpers are not compiled", "run `make setup`")
    measured = exactness.measure(helpers, str(requirements.backend(found)))
    return exact_enough(measured)


def exact_enough(measured: exactness.Exactness) -> Verdict:
    """The median's deviation beside what a network may be off before it is called unfaithful."""
    words = (
        f"by {measured.backend}: {measured.expected_s * 1e3:.3g} ms are {measured.median_error_s * 1e6:+.0f} us off "
        f"(median), {measured.largest_error_s * 1e6:+.0f} us at most"
    )
    facts = asdict(measured)
    if abs(measured.median_error_s) > measured.allowed_s:
        return warned(
            words,
            f"cells off by more than {measured.allowed_s * 1e6:.0f} us are marked unfaithful: end other programs and "
            "look again, or use lab virtual",
            **facts,
        )
    return passed(words, **facts)
