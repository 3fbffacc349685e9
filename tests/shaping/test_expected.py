"""What a probe should measure."""

from typing import Any

import pytest

from shaping.expected import ShapedPaths, goodput_bit_per_s, goodputs_bit_per_s, loss, rtt_deviation_s, rtt_s
from shaping.plan import plan
from shaping.probe import VIRTUAL, probed_pairs
from testbed.cell import Network, OwnLinks
from topologies import make
from topologies.wiring import derive


def paths(name: str, **changes: Any) -> ShapedPaths:
    wiring = derive(make(name, workers=8))
    values: dict[str, Any] = {
        "topology": name,
        "workers": 8,
        "bandwidth_bit_per_s": 5e6,
        "latency_s": 0.13e-3,
        "queue_bytes": 2**20,
    }
    return ShapedPaths.of(wiring, plan(Network(**values | changes), wiring))


def test_round_trip_is_latency_and_the_frames_time_at_every_link():
    assert rtt_s(paths("star"), (0, 1)) == pytest.approx(0.13e-3 + 4 * 98 * 8 / 5e6, rel=1e-9)
    assert rtt_s(paths("ring"), (0, 1)) == pytest.approx(0.13e-3 + 2 * 98 * 8 / 5e6, rel=1e-9)
    assert rtt_s(paths("tree"), (3, 4)) == pytest.approx(2 * (0.13e-3 + 4 * 98 * 8 / 5e6), rel=1e-9)


def test_goodput_is_the_slowest_links():
    assert goodput_bit_per_s(paths("star"), (0, 1)) == pytest.approx(5e6 * 1448 / 1514)
    slow_trunk = paths("tree", trunk_bit_per_s=1e6)
    assert goodput_bit_per_s(slow_trunk, (0, 1)) == pytest.approx(5e6 * 1448 / 1514)
    assert goodput_bit_per_s(slow_trunk, (3, 4)) == pytest.approx(1e6 * 1448 / 1514)


def test_acknowledgements_take_their_share_where_they_share_a_link():
    acks = {(rank, (rank + 1) % 8): 100.0 for rank in range(8)}
    star = goodputs_bit_per_s(paths("star"), acks)
    assert star[0, 1] == pytest.approx((5e6 - 100 * 66 * 8) * 1448 / 1514)
    ring = goodputs_bit_per_s(paths("ring"), acks)  # they go the other way
    assert ring[0, 1] == pytest.approx(5e6 * 1448 / 1514)
    assert goodputs_bit_per_s(paths("star"), {(0, 1): 100.0})[0, 1] == pytest.approx(5e6 * 1448 / 1514)


def test_jitter_and_loss_of_a_round_trip():
    shaken = paths("star", latency_s=20e-3, jitter_s=1e-3, loss=0.1)
    assert rtt_deviation_s(shaken, (0, 1)) == pytest.approx(1e-3, rel=1e-6)
    assert loss(shaken, (0, 1)) == pytest.approx(1 - 0.9**4, rel=1e-6)


def test_each_kind_of_path_between_neighbours_is_probed():
    assert probed_pairs(paths("star")) == [(0, 1)]
    assert probed_pairs(paths("tree")) == [(0, 1), (3, 4)]


def test_the_way_to_and_from_slow_links_is_probed_and_named_last():
    slow = OwnLinks(worker=1, bandwidth_bit_per_s=1e6, latency_s=5e-3)
    assert probed_pairs(paths("star", own_links=(slow,))) == [(2, 3), (0, 1), (1, 2)]
    found = paths("star", own_links=(slow,))
    assert goodput_bit_per_s(found, (0, 1)) == goodput_bit_per_s(found, (1, 2)) == pytest.approx(1e6 * 1448 / 1514)
    assert goodput_bit_per_s(found, (2, 3)) == pytest.approx(5e6 * 1448 / 1514)
    delays_s = sum(link.delay_ns for link in found.round_trip((0, 1))) / 1e9
    assert delays_s == pytest.approx(5e-3)  # as the straggler's latency says


def test_tolerances_are_the_contracts():
    assert VIRTUAL.rtt(20e-3) == 2e-6
    assert VIRTUAL.goodput(1e9) == pytest.approx(1e7)
    assert VIRTUAL.goodput(10e9) == pytest.approx(2e8)
