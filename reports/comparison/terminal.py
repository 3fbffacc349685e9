"""A comparison in a terminal, or plain where it is piped."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from reports.comparison.comparing import Comparison, Verdict
from reports.comparison.wording import APART_HEADER, CHANGE, answer, header, notes, row, sides

STYLES = {Verdict.SLOWER: "red", Verdict.FASTER: "green", Verdict.SAME: ""}
_NUMBERS = ("A", "B", CHANGE, "bytes")
PLAIN_WIDTH = 1000  # a pipe has no width: nothing is wrapped


def print_comparison(console: Console, comparison: Comparison, bound: float | None = None) -> None:
    """Print answer, tables and notes. `bound` is the share of a check, if any."""
    if not console.is_terminal:
        console = Console(file=console.file, width=PLAIN_WIDTH, highlight=False, color_system=None)
    first, *more = answer(comparison, bound)
    _say(console, first, style="bold")
    for sentence in (*more, *sides(comparison)):
        _say(console, sentence)
    if comparison.cells:
        rows = [(row(comparison, cell), STYLES[cell.verdict]) for cell in comparison.cells]
        console.print(_table(console, header(comparison), rows))
    if comparison.apart:
        _say(console, "Not compared:")
        rows = [([one.place.text, one.why], "red" if one.lost else "") for one in comparison.apart]
        console.print(_table(console, APART_HEADER, rows))
    for note in notes(comparison):
        _say(console, note)


def _say(console: Console, text: str, style: str = "") -> None:
    console.print(Text(text, style))


def _table(console: Console, head: Sequence[str], rows: Sequence[tuple[Sequence[str], str]]) -> Table:
    table = Table(box=box.SIMPLE_HEAD if console.is_terminal else None, pad_edge=False, header_style="bold")
    for name in head:
        number = name in _NUMBERS
        table.add_column(name, justify="right" if number else "left", no_wrap=number or not console.is_terminal)
    for texts, style in rows:
        table.add_row(*(Text(text) for text in texts), style=style)
    return table
