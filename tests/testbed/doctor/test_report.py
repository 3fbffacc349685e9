import io
import json

import pytest
from rich.console import Console

from testbed.doctor import Check, report
from testbed.doctor.check import Level, Verdict, failed, passed, warned
from testbed.errors import LabError

GOOD = Check(name="good", look=lambda: passed("there"))
POOR = Check(name="poor", look=lambda: warned("slow", "buy another"))
BAD = Check(name="bad", look=lambda: failed("broken [/]", "mend it"))


def repairable(*, works: bool) -> Check:
    """A check that fails until it is repaired."""
    state = {"broken": True}

    def mend() -> None:
        if not works:
            raise LabError("no tools")
        state["broken"] = False

    return Check(name="x", look=lambda: failed("broken", "mend it") if state["broken"] else passed("whole"), fix=mend)


def test_only_failure_is_failure(capsys: pytest.CaptureFixture[str]) -> None:
    assert report.run(checks=[GOOD, POOR]) == 0
    assert report.run(checks=[GOOD, BAD]) == 1


def test_table_says_what_to_do_and_takes_no_markup_from_what_it_shows() -> None:
    console = Console(file=io.StringIO(), width=100)
    report.show([(BAD, BAD.look())], console)
    assert isinstance(console.file, io.StringIO)
    assert "broken [/]" in console.file.getvalue()
    assert "mend it" in console.file.getvalue()


def test_json_has_every_check(capsys: pytest.CaptureFixture[str]) -> None:
    report.run(json=True, checks=[GOOD, BAD])
    found = json.loads(capsys.readouterr().out)
    assert found["ok"] is False
    assert [(check["name"], check["level"]) for check in found["checks"]] == [
        ("good", "pass"),
        ("bad", "fail"),
    ]


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


def test_names_are_distinct() -> None:
    names = [check.name for check in report.CHECKS]
    assert len(names) == len(set(names))
