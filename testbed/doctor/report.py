"""Runs the checks, repairs what may be repaired, and shows the outcome to a person or a program."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from json import dumps

from rich.console import Console
from rich.table import Table
from rich.text import Text

from testbed.doctor import extras, host_lab, machine, software, virtual_lab
from testbed.doctor.check import Check, Level, Scope, Section, Verdict, failed
from testbed.errors import LabError, UserError

_STYLES = {Level.PASS: "green", Level.WARN: "yellow", Level.FAIL: "bold red", Level.SKIP: "dim"}
_JSON_SCHEMA = 2


def sections() -> tuple[Section, ...]:
    """All there is to look at, in the order in which it is shown."""
    return (
        Section(name="every lab", scope=Scope.ALL, checks=(*software.CHECKS, *machine.CHECKS)),
        Section(name="virtual", scope=Scope.LAB, checks=virtual_lab.CHECKS),
        Section(name="host", scope=Scope.LAB, checks=host_lab.checks(), optional=True),
        Section(name="containers", scope=Scope.EXTRA, checks=extras.container_checks()),
        Section(name="gpu", scope=Scope.EXTRA, checks=extras.gpu_checks()),
    )


@dataclass(frozen=True, kw_only=True)
class Examined:
    """A section, with what its checks found."""

    section: Section
    outcomes: Sequence[tuple[Check, Verdict]]

    @property
    def works(self) -> bool:
        """Whether no check failed."""
        return all(verdict.level is not Level.FAIL for _, verdict in self.outcomes)

    def shown(self) -> Iterator[tuple[Check, Verdict]]:
        """The outcomes as they are reported: what a lab that few have lacks is no failure of the machine."""
        for check, verdict in self.outcomes:
            if self.section.optional and verdict.level is Level.FAIL:
                verdict = dataclasses.replace(verdict, level=Level.WARN, found=f"not available: {verdict.found}")
            yield check, verdict


def run(*, json: bool = False, fix: bool = False, chosen: Sequence[Section] | None = None) -> int:
    """Look at everything and print tables, or one JSON document; 1 where no lab works."""
    examined = [look_at(section, fix=fix) for section in (sections() if chosen is None else chosen)]
    if json:
        print(dumps(document(examined), indent=2))
    else:
        show(examined, Console())
    return int(not any(labs(examined).values()))


def labs(examined: Sequence[Examined]) -> dict[str, bool]:
    """Whether each lab works: its own section, and what every lab needs."""
    common = all(one.works for one in examined if one.section.scope is Scope.ALL)
    return {one.section.name: common and one.works for one in examined if one.section.scope is Scope.LAB}


def look_at(section: Section, *, fix: bool) -> Examined:
    """Examine a section's checks, one after the other."""
    return Examined(section=section, outcomes=[(check, examine(check, fix=fix)) for check in section.checks])


def examine(check: Check, *, fix: bool) -> Verdict:
    """What a check finds; with `fix`, after its repair if it had found something."""
    found = _look(check)
    if not fix or check.fix is None or found.level in (Level.PASS, Level.SKIP):
        return found
    try:
        check.fix()
    except (LabError, UserError) as error:
        return dataclasses.replace(found, found=str(error))
    return _look(check)


def _look(check: Check) -> Verdict:
    """The check's verdict; a check that cannot even look has failed."""
    try:
        return check.look()
    except (LabError, UserError, OSError) as error:
        return failed(f"cannot look: {error}", "put right what it says, then run `gradwire doctor` again")


def document(examined: Sequence[Examined]) -> dict[str, object]:
    """The outcome for a program; docs/doctor.md describes it."""
    working = labs(examined)
    rows = [
        {"section": one.section.name, "name": check.name, "fixable": check.fix is not None} | asdict(verdict)
        for one in examined
        for check, verdict in one.shown()
    ]
    return {"schema": _JSON_SCHEMA, "ok": any(working.values()), "labs": working, "checks": rows}


def show(examined: Sequence[Examined], console: Console) -> None:
    """The outcome for a person: a table with a part for each section, then which labs work."""
    table = Table(box=None, pad_edge=False)
    for heading in ("", "check", "found", "what to do"):
        table.add_column(heading, overflow="fold")
    for one in examined:
        table.add_row("", Text(_title(one.section), style="bold"), "", "")
        for check, verdict in one.shown():
            # Text, for what was found may hold square brackets, which rich would take for its own markup
            level = Text(verdict.level, style=_STYLES[verdict.level])
            table.add_row(level, check.name, Text(verdict.found), Text(verdict.remedy))
    console.print(table)
    for lab, works in labs(examined).items():
        console.print(Text(f"lab {lab} {'works here' if works else 'does not work here'}"))


def _title(section: Section) -> str:
    return f"lab {section.name}" if section.scope is Scope.LAB else section.name
