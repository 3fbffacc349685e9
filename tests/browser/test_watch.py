"""`gradwire watch` in a browser: cells appear while they are measured, and what is chosen stays."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from testbed.results.run_folder import RunFolder
from testbed.watching import watched
from testbed.watching.server import Server
from testbed.watching.watched import Watched
from tests import made_runs

if TYPE_CHECKING:
    from playwright.sync_api import Page

CELLS = made_runs.cells_of("smoke")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return made_runs.make("empty", tmp_path / "run")


@pytest.fixture
def server(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr(watched, "MOST_SHARE", 1.0)  # nothing else needs the processors
    with Server(Watched(folder), 0) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def has_text(page: Page, selector: str, text: str) -> None:
    page.wait_for_function(
        "([selector, text]) => document.querySelector(selector).textContent.includes(text)", arg=[selector, text]
    )


def test_cells_appear_and_what_is_chosen_stays(open_page: Callable[..., Page], server: Server, folder: Path) -> None:
    page, run = open_page(server.url), RunFolder(folder)
    page.evaluate("window.opened = 'once'")
    has_text(page, "#progress", "0 of 12 cells have ended")
    assert not page.locator("#explorer").is_visible()

    made_runs.measure(run, CELLS[:8])
    has_text(page, "#progress", "8 of 12 cells have ended: 8 measured")
    page.wait_for_selector("#chart-epoch svg")
    page.select_option("[name=along]", "latency")
    page.select_option("[name=bandwidth]", "1.4 Gbit/s")
    has_text(page, "#cells", CELLS[6].id)  # of 1.4 Gbit/s, as the later ones are
    assert CELLS[-1].id not in page.locator("#cells").inner_text()

    page.evaluate("scrollTo(0, 700)")
    place = "document.getElementById('chart-winner').getBoundingClientRect().top"
    seen_at = page.evaluate(place)
    made_runs.measure(run, CELLS[8:11])
    run.store_failure(CELLS[11], "a worker ran out of memory", 0)
    has_text(page, "#progress", "11 measured, 1 failed; the sweep has ended.")
    has_text(page, "#cells", "a worker ran out of memory")
    assert page.locator("#progress progress").evaluate("bar => [bar.value, bar.max]") == [12, 12]
    assert "11 measured" in page.locator("#summary").inner_text()
    choices = "Object.fromEntries(new FormData(document.getElementById('controls')))"
    assert page.evaluate(choices)["along"] == "latency" and page.evaluate(choices)["bandwidth"] == "1.4 Gbit/s"
    assert page.locator("#message").inner_text() == ""
    assert page.evaluate(place) == pytest.approx(seen_at, abs=30)  # under the eyes, whatever was added above
    assert page.evaluate("window.opened") == "once"  # it was never loaded again


def test_a_damaged_document_is_told_on_the_page(open_page: Callable[..., Page], server: Server, folder: Path) -> None:
    page, run = open_page(server.url), RunFolder(folder)
    made_runs.measure(run, CELLS[:1])
    run.cell_path(CELLS[0]).write_text("{")
    (folder / "cells" / "touched").touch()  # as a cell that ends next would do
    has_text(page, "#progress", "is damaged (it is not JSON)")
