"""Reports of runs in which something is amiss."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from tests import made_runs

if TYPE_CHECKING:
    from playwright.sync_api import Page

Open = Callable[..., "Page"]


def test_an_empty_run_says_that_nothing_is_measured(open_report: Open) -> None:
    page = open_report("empty")
    assert "12 not measured yet; there is nothing to draw" in page.locator("#summary").inner_text()
    assert not page.locator("#explorer").is_visible()


def test_a_run_of_failures_alone_gives_their_reasons(open_report: Open) -> None:
    page = open_report("all-failed")
    assert "0 measured" in page.locator("#summary").inner_text()
    states = page.locator("#cells tbody tr[data-state=failed] td.state").all_inner_texts()
    assert states and all("ran out of memory" in text or "the guest ended" in text for text in states)


def test_each_state_of_a_cell_can_be_seen(open_report: Open) -> None:
    page = open_report("mixed")
    seen = set()
    for latency in page.locator("#controls [name=latency] option").all_inner_texts():
        page.select_option("#controls [name=latency]", latency)
        page.wait_for_selector("html[data-ready]", state="attached")
        seen |= set(page.locator("#cells tbody tr").evaluate_all("rows => rows.map(row => row.dataset.state ?? '')"))
    assert seen == {"", "unfaithful", "saturated", "overrun", "failed"}
    assert "2 not measured yet" in page.locator("#summary").inner_text()


def test_a_half_written_run_shows_what_is_whole(open_report: Open) -> None:
    assert "12 cells: 5 measured" in open_report("half-written").locator("#summary").inner_text()


def test_names_with_markup_stay_text(open_report: Open) -> None:
    page = open_report("hostile")
    name = made_runs.MARKUP.replace("\u202e", "")  # which would turn around what follows it
    assert page.locator("img").count() == 0
    assert "<img src=x onerror=" in page.locator("#answers").inner_text()
    assert name in page.locator("#controls [name=topology] option").first.inner_text().replace("\u202e", "")
    page.locator("#chart-epoch .mark-symbol path").first.hover(force=True)
    page.locator("#vg-tooltip-element").wait_for(state="visible")
    assert page.locator("img").count() == 0


@pytest.mark.parametrize("kind", ["all-failed", "mixed", "half-written", "hostile"])
def test_every_view_of_it_draws(open_report: Open, kind: str) -> None:
    page = open_report(kind)
    for control in ("along", "bandwidth", "latency", "system"):
        for value in page.locator(f"#controls [name={control}] option").evaluate_all(
            "all => all.map(one => one.value)"
        ):
            page.select_option(f"#controls [name={control}]", value)
            page.wait_for_selector("html[data-ready]", state="attached")
