"""A comparison in Markdown, as a comment on a pull request takes it."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence

from reports.comparison.comparing import Comparison, Verdict
from reports.comparison.wording import APART_HEADER, answer, header, notes, row, sides

_SPECIAL = re.compile(r"([\\`*_\[\]|~])")


def markdown(comparison: Comparison, bound: float | None = None) -> str:
    """The answer, the cells that changed, and the rest folded away. `bound` is the share of a check, if any."""
    changed = [cell for cell in comparison.cells if cell.verdict is not Verdict.SAME]
    first, *more = answer(comparison, bound)
    blocks = [f"**{escaped(first)}**", *map(escaped, more)]
    if changed:
        blocks.append(_table(header(comparison), [row(comparison, cell) for cell in changed]))
    if comparison.apart:
        blocks.append("Not compared:")
        blocks.append(_table(APART_HEADER, [[one.place.text, one.why] for one in comparison.apart]))
    blocks.append("  \n".join(map(escaped, sides(comparison))))
    details = [escaped(note) for note in notes(comparison)]
    if len(changed) < len(comparison.cells):
        unchanged = [cell for cell in comparison.cells if cell not in changed]
        details.append(_table(header(comparison), [row(comparison, cell) for cell in unchanged]))
    if details:
        blocks.append("<details><summary>How to read this, and cells without a change</summary>")
        blocks += [*details, "</details>"]
    return "\n\n".join(blocks) + "\n"


def escaped(text: str) -> str:
    """The text as it is: names may hold what Markdown, HTML or GitHub (`@name`) would take for something else."""
    return _SPECIAL.sub(r"\\\1", html.escape(text, quote=False)).replace("@", "&#64;")


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *([escaped(text) for text in one] for one in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
