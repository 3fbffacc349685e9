"""The project's texts as a Markdown parser sees them: fenced blocks, inline code, links, headings."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT: Final = Path(__file__).parents[2]
# The changelog tells of what was, which need not hold any more; its links do.
PAGES: Final = (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md")))
WITH_CHANGES: Final = (*PAGES, ROOT / "CHANGELOG.md")


@dataclass(frozen=True)
class Fence:
    """A fenced block: where it begins, the first word behind the backticks, and what is in it."""

    page: Path
    line: int
    language: str
    text: str
    before: str  # the HTML comment that stands directly before it, if one does

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


@cache
def tokens(page: Path) -> tuple[Token, ...]:
    """The page's blocks in order."""
    return tuple(MarkdownIt().enable("table").parse(page.read_text(encoding="utf-8")))


@cache
def fences(*languages: str) -> tuple[Fence, ...]:
    """All fenced blocks of these languages, of all pages; of every language where none is given."""
    return tuple(f for page in PAGES for f in _fences_of(page) if not languages or f.language in languages)


def _fences_of(page: Path) -> Iterator[Fence]:
    before = ""
    for token in tokens(page):
        if token.type == "fence":
            assert token.map is not None
            language = token.info.split()[0] if token.info.strip() else ""
            yield Fence(page, token.map[0] + 1, language, token.content, before)
        elif token.type == "code_block":  # indented, so that nobody has said what it is
            assert token.map is not None
            yield Fence(page, token.map[0] + 1, "", token.content, before)
        before = token.content if token.type == "html_block" else ""


def inline_code(page: Path) -> Iterator[tuple[int, str]]:
    """Line and text of what stands between backticks."""
    for token in tokens(page):
        for child in token.children or ():
            if child.type == "code_inline":
                yield (token.map or [0])[0] + 1, child.content


def links(page: Path) -> Iterator[tuple[int, str]]:
    """Line and target of every link and image."""
    for token in tokens(page):
        for child in token.children or ():
            target = child.attrGet("href") if child.type == "link_open" else child.attrGet("src")
            if target is not None:
                yield (token.map or [0])[0] + 1, str(target)


@cache
def anchors(page: Path) -> frozenset[str]:
    """What may stand behind `#` in a link to the page: its headings, as GitHub writes them."""
    blocks = tokens(page)
    titles = [blocks[place + 1] for place, token in enumerate(blocks) if token.type == "heading_open"]
    return frozenset(_slug("".join(child.content for child in title.children or ())) for title in titles)


def _slug(title: str) -> str:
    return re.sub(r"[^\w\- ]", "", title.strip().lower()).replace(" ", "-")
