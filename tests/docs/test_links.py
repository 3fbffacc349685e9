"""Every link within the project leads somewhere, on GitHub as in the built pages."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.pages import ROOT, WITH_CHANGES, anchors, fences, links

EXTERNAL = re.compile(r"https?://|mailto:")


def broken(page: Path, target: str) -> str | None:
    """What is wrong with a link of the page."""
    if EXTERNAL.match(target):
        return None
    file, _, anchor = target.partition("#")
    path = (page.parent / file).resolve() if file else page
    if not path.exists():
        return f"there is no {file}"
    if not path.is_relative_to(ROOT):
        return f"{file} lies outside of the project"
    if anchor and path.suffix == ".md" and anchor not in anchors(path):
        return f"{path.name} has no heading #{anchor}"
    return None


@pytest.mark.parametrize("page", WITH_CHANGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    wrong = [f"line {line}: {target}: {why}" for line, target in links(page) if (why := broken(page, target))]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("target", ["nowhere.md", "docs/training.md#nothing", "/etc/hostname"])
def test_a_link_that_leads_nowhere_is_found(target: str) -> None:
    assert broken(ROOT / "README.md", target)
    assert not broken(ROOT / "README.md", "docs/training.md#over-a-network")


def test_every_page_is_in_the_navigation() -> None:
    listed = set()
    for fence in fences("{toctree}"):
        for entry in fence.text.splitlines():
            if entry and not entry.startswith(":"):
                listed |= set(fence.page.parent.glob(f"{entry}.md"))
    docs = set((ROOT / "docs").rglob("*.md")) - {ROOT / "docs" / "index.md"}
    missing = sorted(str(page.relative_to(ROOT)) for page in docs - listed)
    assert not missing, f"name these in a toctree of docs/index.md: {', '.join(missing)}"
