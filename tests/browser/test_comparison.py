"""The page of `gradwire compare`: whole without a network, readable for all, names of any kind as text."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from testbed.comparing import compare_runs, write_page
from tests import made_runs

if TYPE_CHECKING:
    from playwright.sync_api import Page


@pytest.mark.parametrize("kind", ["mixed", "hostile"])
def test_a_comparison_reads_for_everyone(open_page: Callable[..., Page], tmp_path: Path, kind: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    shutil.copytree(made_runs.make(kind, tmp_path / "a"), tmp_path / "b")
    write_page(compare_runs(tmp_path / "a", tmp_path / "b"), tmp_path / "page.html", 0.05)
    page = open_page((tmp_path / "page.html").as_uri(), ready="main h1")
    assert page.locator("main p.lead").inner_text().startswith("None of ")
    assert page.locator("figure img").evaluate("image => image.naturalWidth") > 300
    assert page.locator("script").count() == 0 and page.locator("img").count() == 1
    found = axe.Axe().run(page)
    assert [(one["id"], [node["target"] for node in one["nodes"]]) for one in found.response["violations"]] == []
