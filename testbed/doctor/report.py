"""Runs the checks, repairs what may be repaired, and shows the outcome to a person or a program."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from json import dumps

from rich.console import Console
from rich.table import Table
from rich.text import Text

from testbed.doctor import machine, software
from testbed.doctor.check import Check, Level, Verdict, failed
from testbed.errors import LabError, UserError

CHECKS: tuple[Check, ...] = (*software.CHECKS, *machine.CHECKS)
_STYLES = {Level.PASS: "green", Level.WARN: "yellow", Level.FAIL: "bold red"}
_JSON_SCHEMA = 1

Outcome = tuple[Check, Verdict]


def run(*, json: bool = False, fix: bool = False, checks: Sequence[Check] = CHECKS) -> int:
    """Look at everything and print a table, or one JSON document; 1 if a check failed (a warning is none)."""
    outcomes = [(check, examine(check, fix=fix)) for check in checks]
    if json:
        print(dumps(document(outcomes), indent=2))
    else:
        show(outcomes, Console())
    return int(any(verdict.level is Level.FAIL for _, verdict in outcomes))


def examine(check: Check, *, fix: bool) -> Verdict:
    """What a check finds; with `fix`, after its repair if it had found something."""
    found = _look(check)
    if not fix or check.fix is None or found.level is Level.PASS:
        return found
    try:
        check.fix()
    except (LabError, UserError) as error:
        return failed(str(error), found.remedy)
    return _look(check)


def _look(check: Check) -> Verdict:
    """The check's verdict; a check that cannot even look has failed."""
    try:
        return check.look()
    except (LabError, UserError, OSError) as error:
        return failed(f"cannot look: {error}", "put right what it says, then run `gradwire doctor` again")


def document(outcomes: Sequence[Outcome]) -> dict[str, object]:
    """The outcome for a program."""
    rows = [{"name": check.name, "fixable": check.fix is not None} | asdict(verdict) for check, verdict in outcomes]
    return {
        "schema": _JSON_SCHEMA,
        "ok": all(verdict.level is not Level.FAIL for _, verdict in outcomes),
        "checks": rows,
    }


def show(outcomes: Sequence[Outcome], console: Console) -> None:
    """The outcome for a person: a table, with what to do in a column of its own."""
    table = Table(box=None, pad_edge=False)
    for heading in ("", "check", "found", "what to do"):
        table.add_column(heading, overflow="fold")
    for check, verdict in outcomes:
        # Text, for what was found may hold square brackets, which rich would take for its own markup
        table.add_row(
            Text(verdict.level, style=_STYLES[verdict.level]),
            check.name,
            Text(verdict.found),
            Text(verdict.remedy),
        )
    console.print(table)
