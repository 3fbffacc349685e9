import re
from html.parser import HTMLParser
from xml.etree import ElementTree

import pandas as pd
import pytest

import reports
from reports.pages import tang2018_figure3
from reports.view import View

SMALL = {"bandwidths": (5e6, 1.4e9), "latencies": (0.13e-3, 20e-3)}
HOSTILE = "\u7db2 " + '<script>alert("x")</script>$\\frac$ ../up'


ONE = {"bandwidths": (5e6,), "latencies": (0.13e-3,), "systems": (("allreduce", "fp32"), ("d-psgd", "fp32"))}


@pytest.fixture(scope="module")
def run(tables, tmp_path_factory):
    """The files of a small run, written once for the tests that only read them."""
    return reports.write(tables.make(**SMALL), tables.provenance, tmp_path_factory.mktemp("run") / "figures")


@pytest.fixture
def unrendered(monkeypatch):
    """Figures are drawn and their files named, but empty: for tests that read pages."""

    def save(figure, folder, name):
        files = [folder / f"{name}{suffix}" for suffix in (".png", ".svg")]
        for file in files:
            file.touch()
        return files

    monkeypatch.setattr("reports.canvas.save", save)


class Tags(HTMLParser):
    """The names of a page's elements, its links and its text."""

    def __init__(self, text):
        super().__init__()
        self.names, self.links, self.text = [], [], ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.names.append(tag)
        self.links += [value for key, value in attrs if key in ("href", "src")]

    def handle_data(self, data):
        self.text += data


def test_a_run_gives_every_figure_in_both_formats_and_pages_that_link_them(run):
    assert sorted(run) == sorted(run[0].parent.iterdir())
    assert run[0].name == "index.html"
    names = {path.name for path in run}
    for kind in ("epoch-bandwidth", "epoch-latency", "speedup-bandwidth", "speedup-latency", "fastest"):
        assert {f"{kind}-star-8-workers.png", f"{kind}-star-8-workers.svg"} <= names
    index = Tags(run[0].read_text())
    assert set(index.links) <= names
    assert "tang2018-figure3.html" in index.links
    assert "20 cells: 20 measured, of which 0 unfaithful and 0 unsettled; 0 failed" in index.text


def test_the_papers_page_stands_alone_with_claims_beside_numbers(run):
    page = Tags((run[0].parent / "tang2018-figure3.html").read_text())
    images = [link for link in page.links if link.startswith("data:image/svg+xml;base64,")]
    assert len(images) == 1
    assert not any("//" in link and not link.startswith("data:") for link in page.links)
    assert "9 judgements: 9 agree" in page.text
    assert "around one fourth of full precision method's data amount" in page.text
    assert "allreduce qsgd 8 bit" in page.text  # the project's own finding beside the paper's systems


def test_an_estimate_is_repeated_at_half_and_twice_its_compute_time_or_said_not_to_be(tables):
    scales = (0.5, 1.0, 2.0)
    content = tang2018_figure3.PAGE.build(tables.make(**SMALL, scales=scales))
    assert content is not None
    assert [d.view.setting["compute_scale"] for d in content.drawings if isinstance(d.view, View)] == list(scales)
    assert any("is repeated at half and twice that time" in note for note in content.notes)
    content = tang2018_figure3.PAGE.build(tables.make(**SMALL))
    assert content is not None
    assert any("yet to be repeated at compute \N{MULTIPLICATION SIGN}0.5 and" in note for note in content.notes)


def test_equal_tables_give_equal_files(run, tables, tmp_path):
    again = reports.write(tables.make(**SMALL), tables.provenance, tmp_path)
    assert {path.name: path.read_bytes() for path in again} == {path.name: path.read_bytes() for path in run}


def test_every_figure_says_where_it_comes_from(run):
    svg = (run[0].parent / "epoch-bandwidth-star-8-workers.svg").read_text()
    comments = " ".join(re.findall(r"<!--(.*?)-->", svg, re.DOTALL))
    for fact in ("run default", "virtual lab", "resnet20 on fashion-mnist", "k80 (estimated)", "batch 128",
                 "commit 0123456789ab", "2026-01-02"):  # fmt: skip
        assert fact in comments


@pytest.mark.parametrize("provenance", [{}, {"name": None, "git_commit": None, "date": None}])
def test_missing_provenance_is_said_to_be_unknown(tables, tmp_path, unrendered, provenance):
    reports.write(tables.make(**ONE), provenance, tmp_path)
    assert "commit unknown" in Tags((tmp_path / "index.html").read_text()).text


@pytest.mark.parametrize("table", [pd.DataFrame(), pd.DataFrame(columns=["lab", "status", "faithful"])])
def test_an_empty_run_has_an_index_that_says_so(tmp_path, tables, table):
    (index,) = reports.write(table, tables.provenance, tmp_path)
    assert "no cells yet" in Tags(index.read_text()).text


def test_a_run_of_failures_lists_their_reasons_and_draws_nothing(tables, tmp_path):
    table = tables.make(**SMALL)
    written = reports.write(tables.fail(table, table["seed"] == 1, "guest hung"), tables.provenance, tmp_path)
    assert {path.suffix for path in written} == {".html"}
    text = Tags(written[0].read_text()).text
    assert "0 measured" in text
    assert "there is nothing to draw" in text
    assert text.count("guest hung") == len(table)


def test_cells_that_did_not_settle_are_counted(tables, tmp_path, unrendered):
    table = tables.make(**ONE)
    table["settled"] = [False, *[True] * (len(table) - 1)]
    text = Tags(reports.write(table, tables.provenance, tmp_path)[0].read_text()).text
    assert "of which 0 unfaithful and 1 unsettled" in text


def test_unfaithful_cells_are_listed(tables, tmp_path, unrendered):
    table = tables.make(**ONE)
    table.loc[table["algorithm"] == "d-psgd", "faithful"] = False
    text = Tags(reports.write(table, tables.provenance, tmp_path)[0].read_text()).text
    assert "2 measured, of which 1 unfaithful" in text


def test_hostile_names_are_shown_and_never_obeyed(tables, tmp_path):
    table = tables.make(**ONE).assign(device=HOSTILE, workload=HOSTILE, dataset=HOSTILE)
    odd = tables.make(**ONE | {"systems": [(HOSTILE, "fp32")]}, topologies=[HOSTILE])
    table = pd.concat([table, odd], ignore_index=True)
    table = tables.fail(table, tables.where(table, algorithm="d-psgd"), HOSTILE + "\x00")
    folder = tmp_path / "figures"
    written = reports.write(table, {"name": HOSTILE}, folder)
    assert {path.parent for path in written} == {folder}
    for path in written:
        if path.suffix == ".html":
            assert "script" not in Tags(path.read_text()).names
        if path.suffix == ".svg":
            assert not [e for e in ElementTree.parse(path).iter() if e.tag.endswith("script")]
    assert HOSTILE in Tags(written[0].read_text()).text


def test_names_that_become_the_same_letters_keep_their_files_apart(tables, tmp_path, unrendered):
    table = tables.make(**ONE, topologies=["a b", "a-b"])
    written = reports.write(table, tables.provenance, tmp_path)
    assert len(written) == len(set(written)) == 1 + 2 * 2 * 2  # one network: no curves
