from __future__ import annotations

from pathlib import Path

import pytest

from testbed import marked_text
from testbed.errors import UserError


def test_only_what_stands_in_the_place_is_replaced(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{marked_text.between('one', 'old')}\nbetween\n{marked_text.between('two', '')}\nafter\n")
    marked_text.replace(page, "one", "new \\1 text\n")
    kept = f"\nbetween\n{marked_text.between('two', '')}\nafter\n"
    new = marked_text.between("one", "new \\1 text")
    assert page.read_text() == f"before\n{new}{kept}"
    marked_text.replace(page, "two", "more")
    assert "new \\1 text" in page.read_text() and "\nmore\n" in page.read_text()


def test_a_page_without_the_place_is_left_as_it_is(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("text\n")
    with pytest.raises(UserError, match="has 0 places for one, must have one: write a line"):
        marked_text.replace(page, "one", "new")
    page.write_text(marked_text.between("one", "") * 2)
    with pytest.raises(UserError, match="has 2 places"):
        marked_text.replace(page, "one", "new")
    assert "new" not in page.read_text()
    with pytest.raises(UserError, match="cannot be read"):
        marked_text.replace(tmp_path / "nowhere.md", "one", "new")
