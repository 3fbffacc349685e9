"""axe-core finds nothing wrong, in light and dark."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Page


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("kind", ["small", "mixed", "empty"])
def test_nothing_is_in_the_way_of_anyone(open_report: Callable[..., Page], kind: str, scheme: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    found = axe.Axe().run(open_report(kind, color_scheme=scheme))
    assert [(one["id"], [node["target"] for node in one["nodes"]]) for one in found.response["violations"]] == []
