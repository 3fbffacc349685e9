from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from pytest import approx

from reports.spread import spread

WANTED = st.lists(st.floats(-0.5, 1.5), max_size=12)


def test_labels_that_are_apart_stay_where_they_are():
    assert spread([0.9, 0.1, 0.5], 0.1) == approx([0.9, 0.1, 0.5])


def test_two_labels_at_one_place_move_apart_by_the_gap_around_it():
    assert spread([0.5, 0.5], 0.2) == approx([0.4, 0.6])


@given(WANTED, st.floats(0.001, 0.3))
def test_labels_keep_apart_in_order_and_inside(wanted, gap):
    placed = spread(wanted, gap)
    room = min(gap, 1 / max(len(wanted) - 1, 1))
    order = sorted(range(len(wanted)), key=lambda i: wanted[i])
    assert all(-1e-9 <= p <= 1 + 1e-9 for p in placed)
    assert all(placed[b] - placed[a] >= room - 1e-9 for a, b in pairwise(order))
