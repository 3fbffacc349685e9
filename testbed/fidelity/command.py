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

    def __init__(self, lab: Lab, console: Console, jobs: int | None) -> None:
        self._lab = lab
        self._console = console
        self._jobs = jobs
        self.failures: list[str] = []

    def measure(self, programme: cells.Programme) -> list[sheets.Sheet]:
        """All tables of the programme, in the order in which they are measured and shown."""
        everything = {cell.id: cell for part in (programme.grid, *programme.orders, programme.loaded) for cell in part}
        self._lab.prepare(list(everything.values()), self._say)
        made = [*self._against_model(programme.grid)]
        if programme.orders:
            made.append(self._in_orders(programme.orders))
        if programme.loaded:
            made.append(self._under_load(programme.loaded))
        return made

    def _against_model(self, grid: Sequence[Cell]) -> list[sheets.Sheet]:
        documents = self._measure(in_order(grid), self._jobs)
        found = [cell for cell in grid if cell.id in documents]
        probes = {cell.network: documents[cell.id] for cell in found}
        return [
            sheets.model_sheet([rows.model_row(cell, documents[cell.id]) for cell in found]),
            sheets.probe_sheet([rows.probe_row(network, document) for network, document in probes.items()]),
            sheets.bytes_sheet([rows.bytes_row(cell, documents[cell.id]) for cell in found]),
        ]

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
    lab: str = "virtual",
    quick: bool = False,
    jobs: int | None = None,
    write: Path | None = None,
    console: Console | None = None,
) -> int:
    """Measure, print, and write Markdown to `write` where that is given; 0 if every target was met, else 1.

    `quick`: a few cells, in less than a minute. `jobs`: lanes side by side, by default one for every core; a lab
    takes fewer where memory holds fewer.
    """
    console = console or _console()
    name = registry.auto()[0] if lab == "auto" else lab
    programme = (cells.quick if quick else cells.full)(name)
    measured_in = registry.create(name)
    fidelity = Fidelity(measured_in, console, jobs)
    made = fidelity.measure(programme)
    for sheet in made:
        console.print(sheets.as_table(sheet))
    misses = [*fidelity.failures, *(miss for sheet in made for miss in sheet.misses)]
    if write is not None:
        facts = provenance.collect("fidelity", {name: measured_in.provenance()})
        write.write_text(_document(name, made, misses, facts), encoding="utf-8")
    for miss in misses:
        console.print(Text(f"missed: {miss}"), soft_wrap=True)
    console.print(f"fidelity of the lab {name}: " + (f"{len(misses)} targets missed" if misses else "all targets met"))
    return MISSED if misses else MET


def _console() -> Console:
    console = Console()
    return console if console.is_terminal else Console(width=PLAIN_WIDTH)


def _document(lab: str, made: Sequence[sheets.Sheet], misses: Sequence[str], facts: Mapping[str, Any]) -> str:
    commit = f", commit {facts['git_commit'][:10]}" if facts["git_commit"] else ""
    emulating = facts["labs"][lab].get("kernel", facts["machine"]["kernel"])
    found = "All targets were met." if not misses else "Missed:\n\n" + "\n".join(f"- {miss}" for miss in misses)
    head = (
        f"# Fidelity of the lab {lab}\n\n"
        f"Written by `make fidelity` on {facts['date'][:10]}: Gradwire {facts['versions']['gradwire']}{commit}, on "
        f"{facts['machine']['cpu']}, {facts['machine']['cores']} cores; emulated by Linux {emulating}. Exchanges of "
        "1.1 MB on a star, without compute; the model, without fitted constants, is in testbed/fidelity/model.py.\n\n"
        f"{found}\n"
    )
    return "\n".join([head, *map(sheets.as_markdown, made)])
