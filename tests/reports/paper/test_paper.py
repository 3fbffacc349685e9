from __future__ import annotations

import io
import re
import zlib
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.text import Text

from reports.paper import figures, find
from reports.paper.saving import FORMATS, content, csv
from reports.paper.sheet import Sheet, sheet, style
from reports.view import View, views
from testbed.errors import UserError

NAMES = {"epoch-bandwidth", "epoch-latency", "fastest", "speedup-bandwidth", "speedup-latency", "where-the-time-goes"}
COLUMN, TEXT = Sheet(3.25), Sheet(6.75)


@pytest.fixture
def view(tables: Any) -> View:
    """Two latencies; one cell failed, one unfaithful."""
    table = tables.make(latencies=(1e-3, 20e-3))
    table = tables.fail(table, tables.where(table, algorithm="d-psgd", bandwidth_bit_per_s=5e6, latency_s=20e-3))
    odd = tables.where(table, algorithm="dcd-psgd", bandwidth_bit_per_s=100e6, latency_s=1e-3)
    table.loc[odd, "faithful"] = False
    (found,) = views(table)
    return found


def drawn(name: str, view: View, on: Sheet = COLUMN) -> Figure:
    with style():
        figure = find(name).draw(view, on)
        assert figure is not None
        figure.draw_without_rendering()
    return figure


def test_the_promised_figures_are_there() -> None:
    assert set(figures()) == NAMES
    with pytest.raises(UserError, match="figure epoch is not known: choose one of epoch-bandwidth, epoch-latency, "):
        find("epoch")


@pytest.mark.parametrize("name", sorted(NAMES))
@pytest.mark.parametrize("on", [COLUMN, TEXT])
def test_a_figure_has_its_width_and_no_type_that_cannot_be_read(name: str, on: Sheet, view: View) -> None:
    figure = drawn(name, view, on)
    assert figure.get_figwidth() == on.width_in
    texts = [text for text in figure.findobj(Text) if isinstance(text, Text) and text.get_text() and text.get_visible()]
    assert texts and min(float(text.get_fontsize()) for text in texts) >= 7
    box = figure.get_tightbbox()
    assert box.x0 >= -0.02 and box.x1 <= on.width_in + 0.02, "something is cut off"


@pytest.mark.parametrize("name", sorted(NAMES))
def test_a_pdf_is_vector_with_fonts_that_stay_text_and_has_no_date(name: str, view: View) -> None:
    first, second = (content(drawn(name, view), "pdf", "run smoke | commit 0123") for _ in range(2))
    assert first == second
    assert b"/FontFile2" in first and b"/Type3" not in first and b"CreationDate" not in first
    assert b"/Subject (run smoke | commit 0123)" in first
    assert b"/Subtype /Image" not in first
    box = re.search(rb"/MediaBox \[ ?0 0 ([\d.]+) ", first)
    assert box and float(box.group(1)) == pytest.approx(3.25 * 72)
    streams = re.findall(rb"stream\r?\n(.*?)\r?\nendstream", first, re.DOTALL)
    assert any(b" l\n" in _inflated(stream) for stream in streams)


def _inflated(stream: bytes) -> bytes:
    try:
        return zlib.decompress(stream)
    except zlib.error:
        return b""


def test_other_formats_hold_the_same_without_dates(view: View) -> None:
    figure = drawn("epoch-bandwidth", view)
    assert set(FORMATS) == {"pdf", "svg", "png"}
    svg, png = (content(figure, kind, "run smoke") for kind in ("svg", "png"))
    assert b"run smoke" in svg and b"dc:date" not in svg and b"run smoke" in png
    assert svg == content(drawn("epoch-bandwidth", view), "svg", "run smoke")


def test_every_point_is_among_the_numbers(view: View) -> None:
    figure = drawn("epoch-bandwidth", view)
    numbers = find("epoch-bandwidth").numbers(view)
    for latency_s, ax in zip(view.latencies, figure.axes, strict=True):
        for system in view.systems:
            (line,) = [line for line in ax.lines if line.get_label() == system.label]
            own = numbers[(numbers["latency_s"] == latency_s) & (numbers["system"] == system.label)]
            assert np.asarray(line.get_xdata()).tolist() == own["bandwidth_bit_per_s"].tolist()
            np.testing.assert_allclose(np.asarray(line.get_ydata(), dtype=float), own["epoch_s"])
    states = numbers.set_index(["system", "bandwidth_bit_per_s", "latency_s"])["state"]
    assert states["d-psgd fp32", 5e6, 20e-3] == "failed"
    assert states["dcd-psgd qsgd 8 bit", 100e6, 1e-3] == "unfaithful"
    assert set(states) == {"measured", "failed", "unfaithful"}


def test_numbers_are_exported_in_full_with_units(view: View) -> None:
    for name, columns in {
        "epoch-latency": {"epoch_s", "epoch_low_s", "epoch_high_s"},
        "speedup-bandwidth": {"speedup", "speedup_low", "speedup_high"},
        "fastest": {"speedup", "ties"},
        "where-the-time-goes": {"compute_s", "encode_s", "communicate_s", "decode_s", "apply_s"},
    }.items():
        numbers = find(name).numbers(view)
        again = pd.read_csv(io.BytesIO(csv(numbers)))
        assert {"bandwidth_bit_per_s", "latency_s", "system", "state", *columns} <= set(again.columns)
        (first, *_) = columns
        assert again[first].dropna().tolist() == numbers[first][numbers[first] != ""].dropna().tolist()


def test_the_map_shows_ties_and_what_is_unfaithful(tables: Any) -> None:
    table = tables.make(
        bandwidths=(5e6, 1e9),
        latencies=(1e-3,),
        systems=(("allreduce", "fp32"), ("dcd-psgd", "qsgd"), ("ecd-psgd", "qsgd")),
    )
    slow = tables.where(table, bandwidth_bit_per_s=5e6)
    table.loc[slow & tables.where(table, algorithm="dcd-psgd"), "faithful"] = False
    table.loc[slow & tables.where(table, algorithm="ecd-psgd"), "epoch_s"] *= 2
    (view,) = views(table)
    figure = drawn("fastest", view)
    cells = [patch for patch in figure.axes[0].patches if isinstance(patch, Rectangle)]
    assert [cell.get_hatch() for cell in cells] == ["////", None]
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert texts[1].startswith("≈") and not texts[0].startswith("≈")
    assert "hatched: the network's probe was off" in find("fastest").caption(view)
    assert find("fastest").numbers(view)["state"].tolist() == ["unfaithful", "measured"]


def test_a_map_without_room_has_colours_alone(tables: Any) -> None:
    (view,) = views(tables.make())
    assert not drawn("fastest", view, Sheet(2.0)).axes[0].texts
    assert drawn("fastest", view, TEXT).axes[0].texts


def test_only_panels_with_a_line_are_drawn(tables: Any) -> None:
    table = tables.make(bandwidths=(5e6, 1e8, 1e9), latencies=(1e-3, 20e-3))
    table = table[~(tables.where(table, latency_s=1e-3) & (table["bandwidth_bit_per_s"] > 5e6))]
    (view,) = views(table)
    assert [ax.get_title() for ax in drawn("epoch-bandwidth", view).axes] == ["latency 20 ms"]
    assert set(find("epoch-bandwidth").numbers(view)["latency_s"]) == {20e-3}


def test_a_view_without_what_a_figure_needs_has_none(tables: Any) -> None:
    (view,) = views(tables.make(bandwidths=(5e6,), systems=(("d-psgd", "fp32"),)))
    with style():
        assert find("epoch-bandwidth").draw(view, COLUMN) is None
        assert find("speedup-latency").draw(view, COLUMN) is None
        assert find("epoch-latency").draw(view, COLUMN) is not None


@pytest.mark.parametrize(
    ("text", "width_in"), [("column", 3.25), ("icml-text", 6.75), ("3.4", 3.4), ("3.4in", 3.4), ("5 in", 5)]
)
def test_widths(text: str, width_in: float) -> None:
    assert sheet(text).width_in == width_in


@pytest.mark.parametrize("text", ["page", "0", "-3", "100", "8cm", "nan", ""])
def test_what_is_no_width_is_refused(text: str) -> None:
    with pytest.raises(UserError, match=r"is neither one of column, text, .* nor 2 to 20 inches"):
        sheet(text)


def test_the_style_is_the_reports_own_but_for_type_and_lines() -> None:
    import matplotlib as mpl

    with style():
        assert mpl.rcParams["svg.hashsalt"] == "gradwire" and not mpl.rcParams["axes.spines.top"]
        assert mpl.rcParams["pdf.fonttype"] == 42 and mpl.rcParams["font.family"] == ["STIXGeneral"]
        assert not mpl.rcParams["text.parse_math"]  # a name with two $ is a name
