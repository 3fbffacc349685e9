import os

import pytest

from testbed.doctor import host_lab, report
from testbed.doctor.check import Level, Scope, Section
from testbed.labs.host.exactness import Exactness
from testbed.labs.host.requirements import NEEDS, UNTRIED, Role

NETEM = next(need for need in NEEDS if need.role is Role.NETEM)
NFQUEUE = next(need for need in NEEDS if need.role is Role.NFQUEUE)


def measured(median_error_s: float) -> Exactness:
    return Exactness(
        backend="nfqueue",
        expected_s=5e-3,
        median_error_s=median_error_s,
        largest_error_s=1e-3,
        allowed_s=200e-6,
        real_time=True,
    )


@pytest.mark.parametrize(
    ("role", "level"), [(Role.REQUIRED, Level.FAIL), (Role.USEFUL, Level.WARN), (Role.UNUSED, Level.SKIP)]
)
def test_what_a_lack_means_depends_on_what_the_need_is_for(role: Role, level: Level) -> None:
    need = next(need for need in NEEDS if need.role is role)
    assert host_lab.verdict(need, {need.name: "no"}).level is level
    assert host_lab.verdict(need, {}).level is Level.PASS
    assert host_lab.verdict(need, {need.name: UNTRIED}).level is Level.SKIP


def test_one_way_to_delay_is_enough() -> None:
    verdict = host_lab.verdict(NETEM, {NETEM.name: "unknown"})
    assert verdict.level is Level.SKIP and "delays are made by nfqueue" in verdict.found
    both = {NETEM.name: "unknown", NFQUEUE.name: "unknown"}
    assert host_lab.verdict(NETEM, both).level is host_lab.verdict(NFQUEUE, both).level is Level.FAIL


@pytest.mark.parametrize(("error_s", "level"), [(-190e-6, Level.PASS), (210e-6, Level.WARN), (-210e-6, Level.WARN)])
def test_inexact_delays_are_a_warning_with_their_numbers(error_s: float, level: Level) -> None:
    verdict = host_lab.exact_enough(measured(error_s))
    assert verdict.level is level
    assert verdict.facts["median_error_s"] == error_s
    assert f"{error_s * 1e6:+.0f} us off" in verdict.found


def test_an_ordinary_user_sees_no_failure_and_no_lab(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    section = Section(name="host", scope=Scope.LAB, checks=host_lab.checks(), optional=True)
    examined = report.look_at(section, fix=False)
    shown = {check.name: verdict for check, verdict in examined.shown()}
    assert not examined.works
    assert Level.FAIL not in {verdict.level for verdict in shown.values()}
    assert shown["root"].found == "not available: you are user 1000"
    assert shown["delays"].level is Level.SKIP
