"""The page of a training in a browser."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from reports.explorer import training_page
from tests.reports.test_emulated import BAD, GOOD, timed
from tests.reports.test_training import PROVENANCE, table

if TYPE_CHECKING:
    from playwright.sync_api import Page

Open = Callable[..., "Page"]


@pytest.fixture
def training(tmp_path: Path) -> str:
    """A page with losses along epochs, bytes and the times of two networks, and with a system that diverged."""
    trained = table({"algorithm": "allreduce"}, {"algorithm": "d-psgd"}, {"algorithm": "dcd-psgd", "last": None})
    seconds = {"allreduce": 10.0, "d-psgd": 11.0, "dcd-psgd": 1.0}
    frame = timed(trained.assign(handed_bytes_so_far=trained["epoch"] * 2e6), {BAD: seconds, GOOD: seconds})
    path = tmp_path / "report.html"
    path.write_text(training_page(frame, PROVENANCE), encoding="utf-8")
    return path.as_uri()


def test_every_course_is_drawn_and_told_in_the_table(open_page: Open, training: str) -> None:
    page = open_page(training)
    seen = set()
    for along in page.locator("[name=along] option").all_inner_texts():
        page.select_option("[name=along]", along)
        page.wait_for_selector("html[data-ready]", state="attached")
        seen.add(page.locator("#chart-train-loss svg").inner_html())
        assert page.locator("#cells tbody tr").count() > 3
    assert len(seen) == 4  # epochs, bytes, the time on either network
    assert page.locator("#cells tr[data-state=diverged]").count() > 0
    assert "diverged" in page.locator("#answers").inner_text()


def test_epochs_are_counted_in_whole_ones(open_page: Open, training: str) -> None:
    labels = open_page(training).locator("#chart-train-loss .role-axis-label").first.locator("text")
    assert labels.all_text_contents() == ["0", "1", "2", "3", "4"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_is_in_nobodys_way(open_page: Open, training: str, scheme: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    found = axe.Axe().run(open_page(training, color_scheme=scheme))
    assert [(one["id"], [node["target"] for node in one["nodes"]]) for one in found.response["violations"]] == []
