"""`gradwire fidelity`: what the lab's emulation is worth, in tables that end in yes or NO."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from testbed.cell import Cell
from testbed.fidelity import cells, rows, sheets
from testbed.fidelity.measuring import Document, busy_machine
from testbed.fidelity.measuring import measure as measure_cells
from testbed.labs import registry
from testbed.labs.lab import Lab
from testbed.lanes import lanes
from testbed.measuring import in_order
from testbed.results import provenance

MET, MISSED = 0, 1  # exit codes
# Wide enough for the widest table where the output is no terminal.
PLAIN_WIDTH = 200


class Fidelity:
    """Measures a programme in a lab and keeps what could not be measured."""

    def __init__(self, lab: Lab, programme: cells.Programme, console: Console, jobs: int | None) -> None:
        self._lab = lab
        self._programme = programme
        self._console = console
        self._jobs = jobs
        self.failures: list[str] = []

    def prepare(self) -> None:
        """Make the lab ready for all cells; UserError where it cannot be."""
        self._lab.prepare(self._programme.all_cells, self._say)

    def grid(self) -> Mapping[str, Document]:
        """Documents of the cells that are held against the model, by their ids."""
        return self._measure(in_order(self._programme.grid), self._jobs)

    def independence(self) -> list[sheets.Sheet]:
        """Cells in other company and on a busy machine, where the programme has such."""
        made = [self._in_orders(self._programme.orders)] if self._programme.orders else []
        return [*made, self._under_load(self._programme.loaded)] if self._programme.loaded else made

    def provenance(self) -> dict[str, Any]:
        """What the lab says of itself once it has run."""
        return self._lab.provenance()

    def _in_orders(self, orders: Sequence[Sequence[Cell]]) -> sheets.Sheet:
        runs = [self._measure(order, jobs=1) for order in orders]
        return sheets.same_sheet(
            "Order independence",
            f"The same cells in {len(orders)} runs: other cells before them, or none.",
            rows.same_rows(orders[0], runs),
        )

    def _under_load(self, loaded: Sequence[Cell]) -> sheets.Sheet:
        idle = self._measure(loaded, jobs=1)
        with busy_machine():
            busy = self._measure(loaded, jobs=1)
        note = "The same cells while the machine has nothing else to do, and while every core has."
        return sheets.same_sheet("Load independence", note, rows.same_rows(loaded, [idle, busy]))

    def _measure(self, wanted: Sequence[Cell], jobs: int | None) -> Mapping[str, Document]:
        measured = measure_cells(self._lab, wanted, lanes(jobs, wanted, lambda _: self._lab), self._console)
        self.failures += [f"not measured: {reason}" for reason in measured.failures.values()]
        return measured.documents

    def _say(self, text: str) -> None:
        self._console.print(Text(text), soft_wrap=True)


def run(
    lab: str = "auto",
    quick: bool = False,
    jobs: int | None = None,
    write: Path | None = None,
    console: Console | None = None,
) -> int:
    """Measure, print, and write Markdown to `write` where that is given; 0 if every target was met, else 1.

    `lab`: `virtual`; `host`, whose networks are measured in the virtual lab, too; `auto`, all that this machine can be.
    `quick`: a few cells, in a minute or two. `jobs`: lanes side by side, by default one for every core; a lab takes
    fewer where memory holds fewer.
    """
    console = console or _console()
    which = _both_if_possible(console) if lab == "auto" else lab
    programmes = cells.programmes(which, quick, contained=which != "virtual" and _engine_answers(console))
    parts = {name: Fidelity(registry.create(name), programme, console, jobs) for name, programme in programmes.items()}
    for part in parts.values():
        part.prepare()
    made = _sheets(programmes, parts)
    for sheet in made:
        console.print(sheets.as_table(sheet))
    failures = [failure for part in parts.values() for failure in part.failures]
    misses = [*failures, *(miss for sheet in made for miss in sheet.misses)]
    if write is not None:
        facts = provenance.collect("fidelity", {name: part.provenance() for name, part in parts.items()})
        write.write_text(_document(made, misses, facts), encoding="utf-8")
    for miss in misses:
        console.print(Text(f"missed: {miss}"), soft_wrap=True)
    found = f"{len(misses)} targets missed" if misses else "all targets met"
    console.print(f"fidelity of the lab {' and of the lab '.join(parts)}: {found}")
    return MISSED if misses else MET


def _both_if_possible(console: Console) -> str:
    if (lack := registry.lack("host")) is None:
        return "both"
    console.print(Text(f"the virtual lab alone: {lack}"), soft_wrap=True)
    return "virtual"


def _engine_answers(console: Console) -> bool:
    from containers import own_engine

    if own_engine.answers():
        return True
    console.print("no containers: no Docker engine answers")
    return False


def _sheets(programmes: Mapping[str, cells.Programme], parts: Mapping[str, Fidelity]) -> list[sheets.Sheet]:
    """All tables. Rows of one network stand side by side, lab beside lab."""
    documents = {cell_id: document for part in parts.values() for cell_id, document in part.grid().items()}
    found = [cell for programme in programmes.values() for cell in programme.grid if cell.id in documents]
    found.sort(key=_place)
    networks = {(cell.network, cell.lab, cell.hosting): cell for cell in found}
    independence = [sheet for part in parts.values() for sheet in part.independence()]
    hosts = [row for part in parts.values() for row in rows.hosts_rows(part.provenance())]
    return [
        sheets.links_sheet([rows.link_row(cell, documents[cell.id]) for cell in networks.values()]),
        sheets.model_sheet([rows.model_row(cell, documents[cell.id]) for cell in found]),
        sheets.bytes_sheet([rows.bytes_row(cell, documents[cell.id]) for cell in found]),
        *([sheets.hosts_sheet(hosts)] if hosts else []),
        *independence,
    ]


def _place(cell: Cell) -> tuple[Any, ...]:
    """Where a cell stands in the tables."""
    network = cell.network
    pattern = (cell.algorithm, cell.codec, cell.workload)
    return (
        network.workers,
        network.bandwidth_bit_per_s,
        network.latency_s,
        pattern,
        cell.lab != "virtual",
        cell.hosting.name,
    )


def _console() -> Console:
    console = Console()
    return console if console.is_terminal else Console(width=PLAIN_WIDTH)


def _document(made: Sequence[sheets.Sheet], misses: Sequence[str], facts: Mapping[str, Any]) -> str:
    commit = f", commit {facts['git_commit'][:10]}" if facts["git_commit"] else ""
    labs = ", ".join(
        f"the {name} lab on Linux {of_lab.get('kernel', facts['machine']['kernel'])}"
        for name, of_lab in facts["labs"].items()
    )
    found = "All targets were met." if not misses else "Missed:\n\n" + "\n".join(f"- {miss}" for miss in misses)
    head = (
        "# Fidelity\n\n"
        f"Written by `make fidelity` on {facts['date'][:10]}: Gradwire {facts['versions']['gradwire']}{commit}, on "
        f"{facts['machine']['cpu']}, {facts['machine']['cores']} cores; {labs}. Exchanges on a star, without compute; "
        "the model, without fitted constants, is in testbed/fidelity/model.py.\n\n"
        f"{found}\n"
    )
    return "\n".join([head, *map(sheets.as_markdown, made)])
