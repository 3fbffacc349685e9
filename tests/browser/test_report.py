"""What a person does with a report, in a browser."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

import pytest

from tests import made_runs

if TYPE_CHECKING:
    from playwright.sync_api import Page

Open = Callable[..., "Page"]
CHARTS = ("epoch", "speedup", "winner", "parts", "bytes", "timeline")


def rows(page: Page, selector: str = "#cells tbody tr") -> list[str]:
    return [" | ".join(row.locator("td").all_inner_texts()) for row in page.locator(selector).all()]


def choose(page: Page, control: str, value: str) -> None:
    """Choose as a person does, and wait for what follows."""
    page.select_option(f"#controls [name={control}]", value)
    drawn(page)


def drawn(page: Page) -> None:
    page.wait_for_function("document.documentElement.dataset.ready === 'yes'")


def chosen(page: Page) -> dict[str, str]:
    values: dict[str, str] = page.evaluate("Object.fromEntries(new FormData(document.getElementById('controls')))")
    return values


def drawing(page: Page, chart: str) -> str:
    return page.locator(f"#chart-{chart} .chart").inner_html()


def test_a_report_of_480_cells_is_small_and_draws_every_chart(open_report: Open, report_of) -> None:
    assert report_of("large").stat().st_size < 6e6
    page = open_report("large")
    assert all(page.locator(f"#chart-{chart} svg").count() == 1 for chart in CHARTS)
    assert "480 cells: 480 measured" in page.locator("#summary").inner_text()


def test_the_answer_comes_first(open_report: Open) -> None:
    page = open_report("small")
    assert "as fast as allreduce fp32" in page.locator("#answers li").first.inner_text()
    assert page.evaluate(
        "!!(document.getElementById('answers').compareDocumentPosition(document.getElementById('charts')) & 4)"
    )


@pytest.mark.parametrize(
    ("control", "changes"),
    [
        ("topology", {"epoch", "winner"}),
        ("along", {"epoch", "speedup"}),
        ("latency", {"epoch", "parts", "bytes", "timeline"}),
        ("bandwidth", {"parts", "bytes", "timeline"}),
        ("system", {"timeline"}),
    ],
)
def test_each_control_changes_what_is_shown(open_report: Open, control: str, changes: set[str]) -> None:
    page = open_report("large")
    before = {chart: drawing(page, chart) for chart in CHARTS}
    shown = rows(page)
    options = page.locator(f"#controls [name={control}] option").all_inner_texts()
    choose(page, control, options[-1])
    after = {chart: drawing(page, chart) for chart in CHARTS}
    assert changes <= {chart for chart in CHARTS if before[chart] != after[chart]}
    assert (rows(page) != shown) == (control in ("topology", "along", "latency"))
    assert chosen(page)[control] == options[-1]


def test_hovering_over_a_point_shows_its_cell_and_probe(open_report: Open) -> None:
    page = open_report("small")
    page.locator("#chart-epoch .mark-symbol path").first.hover(force=True)
    tip = page.locator("#vg-tooltip-element")
    tip.wait_for(state="visible")
    shown = tip.inner_text()
    assert "probe: goodput" in shown and "expected" in shown
    assert any(cell.id in shown for cell in made_runs.cells_of("smoke"))


def test_a_link_opens_the_same_view_and_the_back_button_the_one_before(open_report: Open) -> None:
    page = open_report("large")
    first = chosen(page)
    choose(page, "topology", "tree")
    choose(page, "along", "latency")
    here, shown = chosen(page), rows(page)
    other = open_report("large", fragment=page.evaluate("location.hash"))
    assert (chosen(other), rows(other)) == (here, shown)
    page.go_back()
    page.wait_for_function("document.querySelector('[name=along]').value === 'bandwidth'")
    assert chosen(page) == {**first, "topology": "tree"}
    page.go_back()
    page.wait_for_function("new FormData(document.getElementById('controls')).get('topology') !== 'tree'")
    assert chosen(page) == first


def test_an_address_that_asks_for_what_the_run_lacks_says_so(open_report: Open) -> None:
    page = open_report("small", fragment="#topology=%3Cb%3Emoebius&latency=7%20ms")
    assert "<b>moebius" in page.locator("#message").inner_text()
    assert page.locator("#message b").count() == 0
    assert rows(page)


def test_a_click_on_a_network_of_the_winner_map_goes_there(open_report: Open) -> None:
    page = open_report("small")
    before = chosen(page)
    page.locator("#chart-winner .mark-rect path").last.click(force=True)
    page.wait_for_function("location.hash !== ''")
    drawn(page)
    after = chosen(page)
    assert (before["bandwidth"], before["latency"]) != (after["bandwidth"], after["latency"])
    assert parse_qs(page.evaluate("location.hash.slice(1)"))["bandwidth"] == [after["bandwidth"]]


def test_the_keyboard_suffices(open_report: Open) -> None:
    page = open_report("large")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    for _ in range(20):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.name") == "topology":
            break
    before = chosen(page)["topology"]
    page.keyboard.press("ArrowDown")
    page.wait_for_function("before => document.querySelector('[name=topology]').value !== before", arg=before)
    drawn(page)
    assert page.evaluate("document.activeElement.name") == "topology"  # what was drawn anew did not take it away
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"


def test_the_theme_follows_the_system_and_the_button(open_report: Open) -> None:
    page = open_report("small", color_scheme="dark")
    background = "getComputedStyle(document.body).backgroundColor"
    dark = page.evaluate(background)
    page.locator("#theme").click()
    drawn(page)
    light = page.evaluate(background)
    assert (dark, light) == ("rgb(22, 24, 28)", "rgb(255, 255, 255)")
    page.emulate_media(color_scheme="light")
    page.locator("#theme").click()
    drawn(page)
    assert page.evaluate(background) == dark


def test_print_is_light_and_has_no_controls(open_report: Open) -> None:
    page = open_report("small", color_scheme="dark", viewport={"width": 700, "height": 990})  # A4 less its margins
    page.emulate_media(media="print")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert not page.locator("#controls").is_visible() and page.locator("#chart-epoch svg").is_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")  # nothing is cut off
    assert page.pdf().startswith(b"%PDF")


def test_the_cells_shown_can_be_saved(open_report: Open) -> None:
    page = open_report("small")
    with page.expect_download() as saving:
        page.locator("#download").click()
    lines = saving.value.path().read_text().splitlines()
    assert len(lines) == 1 + len(rows(page)) and "epoch_s" in lines[0]
