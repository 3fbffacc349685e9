import io
import json
import subprocess
import sys

import pytest
from rich.console import Console

from testbed.doctor import Check, report
from testbed.doctor.check import Level, Scope, Section, Verdict, failed, passed, skipped, warned
from testbed.errors import LabError
from testbed.labs import registry

GOOD = Check(name="good", look=lambda: passed("there"))
POOR = Check(name="poor", look=lambda: warned("slow", "buy another"))
BAD = Check(name="bad", look=lambda: failed("broken [/]", "mend it"))
IDLE = Check(name="idle", look=lambda: skipped("not needed"))


def every(*checks: Check) -> Section:
    return Section(name="every lab", scope=Scope.ALL, checks=checks)


def lab(name: str, *checks: Check, optional: bool = False) -> Section:
    return Section(name=name, scope=Scope.LAB, checks=checks, optional=optional)


def extra(*checks: Check) -> Section:
    return Section(name="extra", scope=Scope.EXTRA, checks=checks)


def repairable(*, works: bool) -> Check:
    """A check that fails until it is repaired."""
    state = {"broken": True}

    def mend() -> None:
        if not works:
            raise LabError("no tools")
        state["broken"] = False

    return Check(name="x", look=lambda: failed("broken", "mend it") if state["broken"] else passed("whole"), fix=mend)


@pytest.mark.parametrize(
    ("chosen", "status"),
    [
        ([every(GOOD), lab("one", POOR, IDLE)], 0),
        ([every(GOOD), lab("one", BAD), lab("two", GOOD)], 0),
        ([every(GOOD), lab("one", GOOD), extra(BAD)], 0),
        ([every(GOOD), lab("one", BAD), lab("two", BAD, optional=True)], 1),
        ([every(BAD), lab("one", GOOD)], 1),
    ],
)
def test_the_status_says_whether_a_lab_works(
    capsys: pytest.CaptureFixture[str], chosen: list[Section], status: int
) -> None:
    assert report.run(chosen=chosen) == status


def test_what_an_optional_lab_lacks_is_shown_as_a_warning() -> None:
    examined = report.look_at(lab("rare", BAD, optional=True), fix=False)
    ((_, verdict),) = examined.shown()
    assert (verdict.level, verdict.found) == (Level.WARN, "not available: broken [/]")
    assert not examined.works


def test_table_says_what_to_do_and_takes_no_markup_from_what_it_shows() -> None:
    console = Console(file=io.StringIO(), width=100)
    report.show([report.look_at(lab("one", BAD), fix=False)], console)
    assert isinstance(console.file, io.StringIO)
    shown = console.file.getvalue()
    assert "broken [/]" in shown and "mend it" in shown
    assert "lab one does not work here" in shown


def test_json_has_every_check_and_lab(capsys: pytest.CaptureFixture[str]) -> None:
    measured = Check(name="measured", look=lambda: passed("5 ms", error_s=1e-6))
    report.run(json=True, chosen=[every(GOOD), lab("one", BAD), lab("two", measured)])
    found = json.loads(capsys.readouterr().out)
    assert (found["ok"], found["labs"]) == (True, {"one": False, "two": True})
    assert [(check["section"], check["name"], check["level"]) for check in found["checks"]] == [
        ("every lab", "good", "pass"),
        ("one", "bad", "fail"),
        ("two", "measured", "pass"),
    ]
    assert found["checks"][2]["facts"] == {"error_s": 1e-6}


def test_fix_repairs_and_looks_again() -> None:
    check = repairable(works=True)
    assert report.examine(check, fix=False).level is Level.FAIL
    assert report.examine(check, fix=True).level is Level.PASS


def test_fix_that_fails_says_why() -> None:
    verdict = report.examine(repairable(works=False), fix=True)
    assert (verdict.level, verdict.found) == (Level.FAIL, "no tools")


def test_check_that_cannot_look_has_failed() -> None:
    def look() -> Verdict:
        raise LabError("no eyes")

    assert report.examine(Check(name="x", look=look), fix=False).level is Level.FAIL


def test_what_is_skipped_is_not_repaired() -> None:
    idle = Check(name="idle", look=lambda: skipped("not needed"), fix=lambda: pytest.fail("repaired"))
    assert report.examine(idle, fix=True).level is Level.SKIP


def test_names_are_distinct_and_every_lab_has_a_section() -> None:
    sections = report.sections()
    names = [check.name for section in sections for check in section.checks]
    assert len(names) == len(set(names))
    assert {section.name for section in sections if section.scope is Scope.LAB} == set(registry.names())


@pytest.mark.virtual
def test_this_machine_can_be_looked_at() -> None:
    code = "import sys; from testbed.cli import main; sys.argv[0] = 'gradwire'; main()"
    done = subprocess.run([sys.executable, "-c", code, "doctor", "--json"], capture_output=True, text=True, timeout=120)
    found = json.loads(done.stdout)
    assert done.returncode == (0 if found["ok"] else 1), done.stderr
    assert found["ok"] == any(found["labs"].values())
    assert {check["level"] for check in found["checks"]} <= set(Level)
    assert [check for check in found["checks"] if check["found"].startswith("cannot look")] == []
    assert "host" not in {check["section"] for check in found["checks"] if check["level"] == Level.FAIL}
