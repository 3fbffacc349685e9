from itertools import pairwise
from typing import Any

import pytest
from matplotlib.colors import to_hex
from pytest import approx

from reports import measures, panels
from reports.figures import epoch, figure_kinds, speedup
from reports.view import views


def curve(ax, label):
    (line,) = [line for line in ax.lines if line.get_label() == label]
    return line


def marked(ax, gid):
    return [line for line in ax.lines if line.get_gid() == gid]


def labels(ax):
    return [text for text in ax.texts if text.get_gid() == "label"]


def ticks(axis):
    return [text.get_text() for text in axis.get_ticklabels()]


@pytest.fixture
def view(tables):
    return views(tables.make())[0]


def test_epoch_against_bandwidth_draws_the_tables_numbers(tables, view):
    table = tables.make()
    figure = tables.drawn(epoch.against_bandwidth, view)
    assert [ax.get_title(loc="left") for ax in figure.axes] == [
        "latency 0.13 ms", "latency 1 ms", "latency 5 ms", "latency 20 ms",
    ]  # fmt: skip
    rows = table[tables.where(table, algorithm="dcd-psgd", latency_s=5e-3)].sort_values("bandwidth_bit_per_s")
    line = curve(figure.axes[2], "dcd-psgd qsgd 8 bit")
    assert list(line.get_xdata()) == approx(list(rows["bandwidth_bit_per_s"]))
    assert list(line.get_ydata()) == approx(list(rows["epoch_s"]))
    assert ticks(figure.axes[0].xaxis) == [
        "5 Mbit/s", "10 Mbit/s", "50 Mbit/s", "100 Mbit/s",
        "500 Mbit/s", "1.4 Gbit/s", "5 Gbit/s", "10 Gbit/s",
    ]  # fmt: skip
    assert {(ax.get_xscale(), ax.get_yscale()) for ax in figure.axes} == {("log", "log")}


def test_epoch_against_latency_has_a_panel_per_bandwidth(tables, view):
    figure = tables.drawn(epoch.against_latency, view)
    assert len(figure.axes) == len(tables.bandwidths)
    assert figure.axes[5].get_title(loc="left") == "bandwidth 1.4 Gbit/s"
    assert list(curve(figure.axes[0], "d-psgd fp32").get_xdata()) == approx(sorted(tables.latencies))


def test_the_band_is_the_confidence_interval(tables):
    table = tables.make(systems=[("d-psgd", "fp32")], bandwidths=[5e6, 10e6], latencies=[1e-3])
    table["epoch_s"], table["epoch_ci95_s"] = [10.0, 5.0], [2.0, 1.0]
    (ax,) = tables.drawn(epoch.against_bandwidth, views(table)[0]).axes
    (band,) = ax.collections
    vertices: Any = band.get_paths()[0].vertices
    corners = {(round(x), round(y)) for x, y in vertices}
    assert corners == {(5_000_000, 8), (5_000_000, 12), (10_000_000, 4), (10_000_000, 6)}


def test_speedup_is_over_allreduce_with_a_line_at_one(tables, view):
    figure = tables.drawn(speedup.against_bandwidth, view)
    ax = figure.axes[3]
    base, ours = (tables.drawn(epoch.against_bandwidth, view).axes[3], "ecd-psgd qsgd 8 bit")
    expected = curve(base, "allreduce fp32").get_ydata() / curve(base, ours).get_ydata()
    assert list(curve(ax, ours).get_ydata()) == approx(list(expected))
    assert list(marked(ax, "reference")[0].get_ydata()) == [1.0, 1.0]
    assert "allreduce fp32" not in [line.get_label() for line in ax.lines]


def test_there_is_no_speedup_figure_without_a_baseline(tables):
    table = tables.make(bandwidths=[5e6], latencies=[1e-3])
    failed = tables.fail(table, tables.where(table, algorithm="allreduce", codec="fp32"))
    for lacking in (table[table["algorithm"] == "d-psgd"], failed):
        view = views(lacking)[0]
        assert speedup.against_bandwidth(view) is None
        assert speedup.against_latency(view) is None


def test_a_system_has_one_colour_in_all_figures(view):
    figures: Any = [figure for kind in figure_kinds() if (figure := kind.draw(view))]
    lines = [line for f in figures for ax in f.axes for line in ax.lines if line.get_label() == "d-psgd fp32"]
    assert len({to_hex(line.get_color()) for line in lines}) == 1
    assert len(lines) == 2 * (4 + 8)


def test_unfaithful_cells_are_hollow_and_said_so(tables):
    table = tables.make()
    table.loc[tables.where(table, algorithm="d-psgd", bandwidth_bit_per_s=5e9, latency_s=1e-3), "faithful"] = False
    figure = tables.drawn(epoch.against_bandwidth, views(table)[0])
    (mark,) = [mark for ax in figure.axes for mark in marked(ax, "unfaithful")]
    assert mark.axes is figure.axes[1]
    assert list(mark.get_xdata()) == [5e9]
    assert mark.get_markerfacecolor() == "white"
    assert any(panels.HOLLOW in text.get_text() for text in figure.texts)


def test_an_unfaithful_baseline_makes_every_speedup_over_it_unfaithful(tables):
    table = tables.make(latencies=[1e-3])
    table.loc[tables.where(table, algorithm="allreduce", codec="fp32", bandwidth_bit_per_s=5e9), "faithful"] = False
    (ax,) = tables.drawn(speedup.against_bandwidth, views(table)[0]).axes
    assert len(marked(ax, "unfaithful")) == 4


def test_a_failed_cell_is_a_gap_with_a_cross(tables):
    table = tables.make(latencies=[1e-3])
    table = tables.fail(table, tables.where(table, algorithm="d-psgd", bandwidth_bit_per_s=50e6))
    figure = tables.drawn(epoch.against_bandwidth, views(table)[0])
    (ax,) = figure.axes
    assert [x == x for x in curve(ax, "d-psgd fp32").get_ydata()] == [True, True, False, *[True] * 5]
    (cross,) = marked(ax, "failed")
    assert list(cross.get_xdata()) == [50e6]
    assert cross.get_color() == curve(ax, "d-psgd fp32").get_color()
    assert any(panels.CROSS in text.get_text() for text in figure.texts)


def test_a_system_that_always_failed_is_labelled_so(tables):
    table = tables.make(latencies=[1e-3])
    table = tables.fail(table, tables.where(table, algorithm="d-psgd"))
    (ax,) = tables.drawn(epoch.against_bandwidth, views(table)[0]).axes
    assert "d-psgd fp32: failed" in [text.get_text() for text in labels(ax)]


def test_labels_name_every_line_in_its_colour_and_do_not_overlap(tables, view):
    figure = tables.drawn(epoch.against_bandwidth, view)
    figure.canvas.draw()
    for ax in figure.axes:
        boxes = sorted((text.get_window_extent() for text in labels(ax)), key=lambda box: box.y0)
        assert len(boxes) == 5
        assert all(a.y1 <= b.y0 for a, b in pairwise(boxes))
        assert all(box.x1 <= figure.bbox.x1 for box in boxes)
        assert all(text.get_color() == curve(ax, text.get_text()).get_color() for text in labels(ax))


def test_ticks_do_not_overlap_where_bandwidths_are_close(tables):
    view = views(tables.make(bandwidths=[x * 1e6 for x in range(5, 105)], latencies=[1e-3]))[0]
    shown = ticks(tables.drawn(epoch.against_bandwidth, view).axes[0].xaxis)
    assert shown[0] == "5 Mbit/s"
    assert shown[-1] == "104 Mbit/s"
    assert len(shown) < 14


def test_latency_zero_has_a_place_on_the_logarithmic_axis(tables):
    (ax,) = tables.drawn(
        epoch.against_latency, views(tables.make(bandwidths=[5e6], latencies=[0.0, 3e-3, 6e-3]))[0]
    ).axes
    assert list(curve(ax, "d-psgd fp32").get_xdata()) == approx([1e-3, 3e-3, 6e-3])
    assert ticks(ax.xaxis)[0] == "0 ms"


def test_fewer_than_three_repetitions_are_no_confidence(tables, view):
    assert "95 %" in measures.band_note(view)
    two = views(tables.make().assign(repetitions=2))[0]
    assert "95 %" not in measures.band_note(two)
    assert "within-run spread" in measures.band_note(two)
