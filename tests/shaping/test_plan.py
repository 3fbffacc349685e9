"""The plan: from a network's settings to the kernel's units."""

import dataclasses
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shaping.plan import FRAME_BYTES, MOST_SEGMENTS, SUPER_PACKET_S, plan
from testbed.cell import Network
from testbed.errors import UserError
from topologies import make
from topologies.wiring import derive

STAR = derive(make("star", workers=4))


def settings(**changes: Any) -> Network:
    values: dict[str, Any] = {
        "topology": "star",
        "workers": 4,
        "bandwidth_bit_per_s": 100e6,
        "latency_s": 0.13e-3,
        "queue_bytes": 2**20,
    }
    return Network(**values | changes)


def test_every_link_end_is_shaped_alike_in_the_kernels_units():
    links = plan(settings(), STAR)
    assert [link.end for link in links] == list(STAR.ends)
    first = links[0]
    assert first.rate_byte_per_s == 12_500_000
    assert first.delay_ns == 32_500
    assert first.queue_ticks * 64 == pytest.approx(2**20 / 12.5e6 * 1e9, abs=64)
    assert [link.from_worker for link in links] == [link.end.node in STAR.workers for link in links]
    alike = [dataclasses.replace(link, end=first.end, seed=first.seed, from_worker=True) for link in links]
    assert set(alike) == {first}
    assert len({link.seed for link in links}) == len(links)


@given(
    st.sampled_from([5e6, 10e6, 50e6, 100e6, 500e6, 1.4e9, 5e9, 10e9]),
    st.sampled_from([1e-4, 0.13e-3, 1e-3, 5e-3, 20e-3, 100e-3]),
    st.integers(2 * FRAME_BYTES, 2**26),
)
def test_super_packets_are_short_in_time_and_leave_a_queue(rate, latency, queue):
    link = plan(settings(bandwidth_bit_per_s=rate, latency_s=latency, queue_bytes=queue), STAR)[0]
    assert 1 <= link.segments <= MOST_SEGMENTS
    if link.segments > 1:
        size_bytes = link.segments * FRAME_BYTES
        assert size_bytes * 8 / rate <= SUPER_PACKET_S
        assert size_bytes * 8 <= queue


def test_super_packets_are_single_frames_where_links_lose_packets():
    fast = settings(bandwidth_bit_per_s=10e9)
    assert plan(fast, STAR)[0].segments > 1
    assert plan(dataclasses.replace(fast, loss=0.01), STAR)[0].segments == 1


def test_super_packets_fit_the_slowest_link():
    tree = derive(make("tree", workers=4, arity=2))
    net = settings(topology="tree", bandwidth_bit_per_s=10e9, trunk_bit_per_s=100e6)
    links = plan(net, tree)
    assert {link.segments for link in links} == {1}
    assert {link.rate_byte_per_s * 8 for link in links} == {10e9, 100e6}


def test_variances_of_links_add_up_to_the_round_trips_jitter():
    link = plan(settings(latency_s=10e-3, jitter_s=1e-3), STAR)[0]
    assert math.hypot(*[link.jitter_ns] * 4) == pytest.approx(1e6, rel=1e-6)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"bandwidth_bit_per_s": 0.0}, "bandwidth 0 bit/s"),
        ({"bandwidth_bit_per_s": -8.0}, "bandwidth -8 bit/s"),
        ({"bandwidth_bit_per_s": 40e9}, "34 Gbit/s"),
        ({"bandwidth_bit_per_s": 12.0}, "multiple of 8"),
        ({"latency_s": -1e-3}, "latency -0.001"),
        ({"jitter_s": 0.13e-3}, "jitter 0.00013"),
        ({"jitter_s": -1.0}, "jitter -1"),
        ({"loss": 1.0}, "loss 1"),
        ({"loss": -0.1}, "loss -0.1"),
        ({"loss": 1e-12}, "resolution"),
        ({"queue_bytes": 1514}, "queue 1514 B is below two frames"),
        ({"queue_bytes": 2**30, "bandwidth_bit_per_s": 8e6}, "274 s"),
    ],
)
def test_what_cannot_be_set_is_refused(changes, said):
    with pytest.raises(UserError, match=said):
        plan(settings(**changes), STAR)


def test_a_plan_prints_one_line_a_link():
    line = str(plan(settings(), STAR)[0])
    assert "100 Mbit/s" in line
    assert "delay 32.5 us" in line
    assert "\n" not in line
