"""The page's text: whole, safe, and the same for the same run."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from typing import Any

import pandas as pd
import pytest

from reports.explorer import report_page
from reports.explorer.content import lightened
from reports.looks import BLACK, BLUE, ORANGE, luminance
from testbed.errors import UserError

HOSTILE = '</script><img src=x onerror="alert(1)">\u2028&amp;'
PROVENANCE = {"name": "trial", "git_commit": "0123", "date": "2026-01-02", "labs": {"virtual": {"kernel": "6.12"}}}


class Page(HTMLParser):
    """The elements, the text by element id, and where the page would fetch from."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.names: list[str] = []
        self.texts: dict[str, str] = {}
        self.addresses: list[str] = []
        self._open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)
        self._open.append(dict(attrs).get("id") or (self._open[-1] if self._open else ""))
        self.addresses += [value or "" for key, value in attrs if key in ("src", "href", "action")]
        if tag in ("meta", "link", "br", "img", "input"):
            self._open.pop()

    def handle_endtag(self, tag: str) -> None:
        self._open.pop()

    def handle_data(self, data: str) -> None:
        key = self._open[-1] if self._open else ""
        self.texts[key] = self.texts.get(key, "") + data


def data_of(text: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(Page(text).texts["data"])
    return found


def test_the_page_has_answers_counts_and_where_it_comes_from_without_its_script(tables: Any) -> None:
    page = Page(report_page(tables.make(), PROVENANCE))
    assert "as fast as allreduce fp32 (95 % interval" in page.texts["answers"]
    assert page.texts["summary"].startswith("160 cells: 160 measured")
    assert "0123" in page.texts["facts"] and "kernel 6.12" in page.texts["facts"]


def test_nothing_is_fetched(tables: Any) -> None:
    text = report_page(tables.make(), PROVENANCE)
    assert Page(text).addresses == ["#charts-heading"]
    assert "default-src 'none'" in text and "connect-src" not in text


def test_equal_runs_give_equal_pages(tables: Any) -> None:
    assert report_page(tables.make(), PROVENANCE) == report_page(tables.make(), PROVENANCE)


def test_a_point_has_its_numbers_and_what_its_probe_found(tables: Any) -> None:
    table = tables.make(topologies=["ring"])
    table["rtt_expected_s"], table["cell"] = table["latency_s"], [f"c{number}" for number in range(len(table))]
    (view,) = data_of(report_page(table, PROVENANCE))["views"]
    point, row = view["points"][0], table.iloc[0]
    assert point["epoch"][0] == pytest.approx(row["epoch_s"], rel=1e-5)
    assert point["epoch"][2] - point["epoch"][1] == pytest.approx(2 * row["epoch_ci95_s"], rel=1e-3)
    assert point["speedup"][0] == 1 and point["text"]["speed-up"] == ""
    assert point["text"]["probe: latency"] == "0.13 ms, expected 0.13 ms" and point["text"]["cell"] == "c0"
    assert list(point["parts"].values()) == pytest.approx([row[f"{part}_s"] for part in point["parts"]], rel=1e-5)
    assert len(view["winners"]) == len(tables.bandwidths) * len(tables.latencies)


def test_states_are_told_apart(tables: Any) -> None:
    table = tables.make(bandwidths=[5e6], latencies=[1e-3])
    table = tables.fail(table, table.index == 1, "a worker raised")
    table = tables.fail(table, table.index == 2, "saturated: use fewer workers")
    table.loc[2, "status"] = "saturated"
    table.loc[3, "faithful"] = False
    (view,) = data_of(report_page(table, PROVENANCE))["views"]
    points = {point["text"]["state"]: point for point in view["points"]}
    assert set(points) == {"measured", "failed: a worker raised", "saturated: use fewer workers", "unfaithful"}
    assert points["failed: a worker raised"]["epoch"] is None


def test_time_lines_come_from_the_traces_of_measured_cells(tables: Any) -> None:
    table = tables.make(bandwidths=[5e6], latencies=[1e-3]).assign(cell=["a", "b", "c", "d", "e"])
    step = {"begin_ns": 0, "end_ns": 1000, "slices": [["compute", 0, 1000]]}
    asked: list[str] = []

    def traces(cell: str) -> dict[str, Any]:
        asked.append(cell)
        return {"steps": [1], "workers": [[step]]}

    (view,) = data_of(report_page(tables.fail(table, table.index == 1), PROVENANCE, traces))["views"]
    assert asked == ["a", "c", "d", "e"]
    assert {json.dumps(point["time_line"]) for point in view["points"]} == {'[[0, "compute", 0.0, 1e-06]]', "[]"}


def test_hostile_names_stay_text(tables: Any) -> None:
    table = tables.make(topologies=[HOSTILE], bandwidths=[5e6])
    table["workload"], table["reason"] = HOSTILE, HOSTILE
    text = report_page(table, {"name": HOSTILE, "git_commit": HOSTILE, "date": HOSTILE})
    page, plain = Page(text), Page(report_page(tables.make(bandwidths=[5e6]), PROVENANCE))
    assert "img" not in page.names and page.names.count("script") == plain.names.count("script")
    assert "<img src=x" in page.texts["answers"]
    assert data_of(text)["views"][0]["setting"]["topology"] == HOSTILE.replace("\u2028", " ")
    assert "\u2028" not in page.texts["data"]


@pytest.mark.parametrize("empty", [True, False], ids=["no cells", "none tried"])
def test_a_run_without_results_says_so(tables: Any, empty: bool) -> None:
    table = pd.DataFrame() if empty else tables.make(bandwidths=[5e6]).assign(status="missing")
    text = report_page(table, {"name": "trial"})
    assert data_of(text)["views"] == [] and "there is nothing to draw" in Page(text).texts["summary"]


def test_a_table_that_is_none_of_a_run_is_refused() -> None:
    with pytest.raises(UserError, match="table has no column"):
        report_page(pd.DataFrame({"status": ["ok"]}), {})


def test_a_live_page_may_ask_its_own_server_only(tables: Any) -> None:
    text = report_page(tables.make(bandwidths=[5e6]), PROVENANCE, live=True)
    assert re.search(r"connect-src 'self'\"", text) and data_of(text)["live"] is True


def test_colours_on_a_dark_page_are_light_enough() -> None:
    assert lightened(ORANGE) == ORANGE
    assert all(luminance(lightened(colour)) >= 0.2 for colour in (BLACK, BLUE, "#220000"))
