from typing import Any

from matplotlib.colors import to_hex
from matplotlib.patches import Rectangle
from pytest import approx

from reports.figures import breakdown, fastest, figure_kinds
from reports.view import views


def view_of(table):
    return views(table)[0]


def winner(view, network) -> Any:
    return fastest.winner(view, network)


def small(tables, epochs, half=0.0):
    """Three systems on one network, with these epochs."""
    systems = [("allreduce", "fp32"), ("d-psgd", "fp32"), ("dcd-psgd", "qsgd")]
    table = tables.make(systems=systems, bandwidths=[5e6], latencies=[1e-3])
    table["epoch_s"], table["epoch_ci95_s"] = epochs, half
    return table


def test_every_kind_is_found_by_being_there_in_order():
    assert [kind.name for kind in figure_kinds()] == [
        "epoch-bandwidth", "epoch-latency", "speedup-bandwidth", "speedup-latency", "fastest",
        "where-the-time-goes", "timeline",
    ]  # fmt: skip


def test_a_property_of_which_there_is_one_value_has_no_curves(tables):
    def drawn(**networks):
        view = view_of(tables.make(**networks))
        return {kind.name for kind in figure_kinds() if kind.name.startswith(("epoch", "speedup")) and kind.draw(view)}

    assert drawn(bandwidths=[5e6, 1e7], latencies=[1e-3]) == {"epoch-bandwidth", "speedup-bandwidth"}
    assert drawn(bandwidths=[5e6], latencies=[1e-3, 5e-3]) == {"epoch-latency", "speedup-latency"}
    assert drawn(bandwidths=[5e6], latencies=[1e-3]) == set()


def test_the_fastest_system_wins_with_its_speedup(tables):
    won = winner(view_of(small(tables, [30.0, 20.0, 10.0])), (5e6, 1e-3))
    assert (won.system.algorithm, won.ties, won.speedup) == ("dcd-psgd", (), approx(3.0))


def test_overlapping_intervals_are_a_tie(tables):
    view = view_of(small(tables, [30.0, 11.0, 10.0], half=0.6))
    assert [s.algorithm for s in winner(view, (5e6, 1e-3)).ties] == ["d-psgd"]
    view = view_of(small(tables, [30.0, 11.0, 10.0], half=0.4))
    assert winner(view, (5e6, 1e-3)).ties == ()


def test_the_map_colours_each_network_with_its_winner_and_says_ties_and_failures(tables):
    table = tables.make()
    table = tables.fail(table, tables.where(table, bandwidth_bit_per_s=50e6, latency_s=5e-3))
    view = view_of(table)
    (ax,) = tables.drawn(fastest.draw, view).axes
    cells = [patch for patch in ax.patches if isinstance(patch, Rectangle)]
    assert len(cells) == len(tables.bandwidths) * len(tables.latencies)
    won = winner(view, (5e6, 20e-3))
    (corner,) = [p for p in cells if round(p.get_x() + 0.48) == 0 and round(p.get_y() + 0.48) == 3]
    assert to_hex(corner.get_facecolor()) == won.system.look.colour
    texts = [text.get_text() for text in ax.texts]
    assert texts.count("failed") == 1
    assert "or ecd-psgd qsgd 8 bit" in texts


def test_an_unfaithful_winner_is_said_so(tables):
    table = small(tables, [30.0, 20.0, 10.0])
    table["faithful"] = [True, True, False]
    (ax,) = tables.drawn(fastest.draw, view_of(table)).axes
    assert "unfaithful" in [text.get_text() for text in ax.texts]


def test_bars_stack_a_steps_parts_at_the_corners(tables):
    table = tables.make()
    figure = tables.drawn(breakdown.draw, view_of(table))
    assert len(figure.axes) == 4
    row = table[tables.where(table, algorithm="dcd-psgd", bandwidth_bit_per_s=5e6, latency_s=0.13e-3)].iloc[0]
    bars = [container.patches[3] for container in figure.axes[0].containers]
    parts = ("compute_s", "encode_s", "communicate_s", "decode_s", "apply_s")
    assert [bar.get_width() for bar in bars] == approx([row[part] for part in parts])
    assert bars[4].get_x() + bars[4].get_width() == approx(row["step_s"])


def test_a_table_without_parts_has_no_bars(tables):
    parts = ["compute_s", "encode_s", "communicate_s", "decode_s", "apply_s"]
    table = tables.make()
    table[parts] = float("nan")
    assert breakdown.draw(view_of(table)) is None
