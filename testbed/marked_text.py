"""Generated text in a page that people write: between two comments that name it."""

from __future__ import annotations

import re
from pathlib import Path

from testbed.errors import UserError
from testbed.results import atomic


def between(name: str, text: str) -> str:
    """The lines that stand in a page."""
    return f"{_begin(name)}\n\n{text.strip()}\n\n{_end(name)}"


def replace(page: Path, name: str, text: str) -> None:
    """Put `text` in the place of what stands there; the page is written whole or not at all.

    UserError for a page that is not there, or has no such place.
    """
    try:
        old = page.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{page} cannot be read ({error}): give a Markdown page") from None
    place = re.compile(f"{re.escape(_begin(name))}.*?{re.escape(_end(name))}", re.DOTALL)
    new, count = place.subn(lambda _: between(name, text), old)
    if count != 1:
        raise UserError(
            f"{page} has {count} places for {name}, must have one: write a line `{_begin(name)}` and, below it, "
            f"`{_end(name)}`"
        )
    atomic.write_bytes(page, new.encode())


def _begin(name: str) -> str:
    return f"<!-- {name}: written by a command, from here -->"


def _end(name: str) -> str:
    return f"<!-- {name}: to here -->"
