"""A plan: a sweep file that was read, resolved and found possible."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from testbed.cell import Cell
from testbed.errors import UserError
from testbed.specification import catalogue, combinations, extensions
from testbed.specification.expansion import expand
from testbed.specification.reading import SWEEP, parse, read_text
from testbed.specification.rules import broken, warnings

Advise = Callable[[Cell], Sequence[str]]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a sweep file declares."""

    name: str
    text: str  # the file as it was given
    cells: Sequence[Cell]  # in the order of declaration, each once
    warnings: Sequence[str]  # one sentence each


def load_plan(
    path: Path,
    lab_when_auto: Callable[[], str],
    complete: catalogue.Catalogue = catalogue.installed,
    *,
    advise: Advise = combinations.advice,
    lab: str | None = None,
    containers: str | None = None,
) -> Plan:
    """The plan in a sweep file. UserError names the file and the key that is wrong, before anything starts.

    `lab_when_auto` says which lab `auto` is here; `complete` fills in and checks names and options; `advise` says what
    theory does not cover; `lab` and `containers`, if given, take the place of all that the file names.
    """
    source = str(path)
    text = read_text(path)
    sweep = parse(text, source, SWEEP)
    if lab is not None:
        sweep = sweep.in_lab(lab)
    if containers is not None:
        sweep = sweep.in_containers(containers)
    extensions.require_unambiguous()
    expansion = expand(sweep, lab_when_auto, source)
    completed = [_checked(cell, complete, source) for cell in expansion.cells]
    cells = list({cell.id: cell for cell in completed}.values())
    advice = [sentence for cell in cells for sentence in advise(cell)]
    notes = [*expansion.warnings, *warnings(cells), *dict.fromkeys(advice)]
    return Plan(name=sweep.name or path.stem, text=text, cells=cells, warnings=notes)


def checked(cell: Cell, complete: catalogue.Catalogue = catalogue.installed) -> Cell:
    """The cell, complete with all defaults; ValueError or UserError for what no network can be, or is not here."""
    if sentence := broken(cell):
        raise UserError(sentence)
    return complete(cell)


def _checked(cell: Cell, complete: catalogue.Catalogue, source: str) -> Cell:
    try:
        return checked(cell, complete)
    except (ValueError, UserError) as error:
        raise UserError(f"{source}: {error}") from None
