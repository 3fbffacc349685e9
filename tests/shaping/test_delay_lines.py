from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from shaping.delay_lines import delay_lines, rules
from shaping.expected import ShapedPaths
from shaping.plan import LARGEST_U32, plan
from testbed.cell import Network, OwnLinks
from topologies import make
from topologies.wiring import derive

RATE_BIT_PER_S = 100e6
LATENCY_S = 4e-3


def paths(topology: str, workers: int, **more: Any) -> ShapedPaths:
    network = Network(
        topology=topology,
        workers=workers,
        arity=2 if topology == "tree" else None,
        bandwidth_bit_per_s=RATE_BIT_PER_S,
        latency_s=LATENCY_S,
        queue_bytes=1 << 20,
        **more,
    )
    wiring = derive(make(topology, workers=workers, arity=network.arity))
    return ShapedPaths.of(wiring, plan(network, wiring))


def test_on_a_star_each_worker_waits_for_both_links_of_whoever_sent() -> None:
    lines = delay_lines(paths("star", 3))
    assert [line.node for line in lines] == ["gw0-w0", "gw0-w1", "gw0-w2"]
    for line in lines:
        assert line.delay_ns == 2_000_000  # two links of a quarter of the latency
        assert line.sources == ()
        assert line.link_ns_per_byte == line.before_ns_per_byte == pytest.approx(8 / RATE_BIT_PER_S * 1e9)


def test_on_a_ring_each_link_has_a_line_where_it_ends() -> None:
    lines = delay_lines(paths("ring", 4))
    assert len(lines) == 8
    assert {line.delay_ns for line in lines} == {2_000_000}
    for line in lines:
        (link,) = line.links
        assert line.before_ns_per_byte == 0
        assert (line.node, line.interface) == (link.end.peer, link.end.peer_interface)
    assert len({(line.node, line.interface) for line in lines}) == 8


def test_on_a_tree_lines_differ_by_how_far_packets_came() -> None:
    found = paths("tree", 4)
    lines = [line for line in delay_lines(found) if line.node == "gw0-w0"]
    delays_ns = {source: line.delay_ns for line in lines for source in line.sources}
    hops = {f"10.0.0.{other + 1}": found.wiring.hops(other, 0) for other in (1, 2, 3)}
    assert delays_ns == {source: count * 1_000_000 for source, count in hops.items()}
    assert len(lines) == len(set(hops.values())) > 1


def test_jitter_adds_up_as_variance_and_loss_as_survival() -> None:
    (line, *_) = delay_lines(paths("star", 2, jitter_s=1e-4, loss=0.1))
    assert line.deviation_ns == pytest.approx(1e5 / 2**0.5, rel=1e-3)  # two of the round trip's four links
    assert line.loss == pytest.approx(1 - 0.9**2)


def test_behind_a_switch_senders_with_links_of_their_own_have_lines_of_their_own() -> None:
    own = (OwnLinks(worker=1, bandwidth_bit_per_s=10e6, latency_s=10e-3), OwnLinks(worker=3))
    found = delay_lines(paths("star", 4, own_links=own))
    at_first = {line.sources: line.delay_ns for line in found if line.node == "gw0-w0"}
    slow_ns = 4_000_000 + 1_000_000  # its own link and that of worker 0: half of the 10 ms round trip
    assert at_first == {("10.0.0.2",): slow_ns, ("10.0.0.3",): 2_000_000, ("10.0.0.4",): 2_000_000}
    (*_, line) = [line for line in found if line.node == "gw0-w1"]
    assert line.delay_ns == slow_ns


def test_a_link_that_is_down_loses_every_packet() -> None:
    found = paths("star", 2)
    down = {name: replace(link, loss_u32=LARGEST_U32) for name, link in found.shaping.items()}
    assert {line.loss for line in delay_lines(replace(found, shaping=down))} == {1.0}


def test_rules_lead_each_source_to_its_queue() -> None:
    lines = [line for line in delay_lines(paths("tree", 4)) if line.node == "gw0-w0"]
    text = rules(lines)
    assert text.startswith("*mangle\n:PREROUTING ACCEPT [0:0]\n-F PREROUTING\n") and text.endswith("COMMIT\n")
    for number, line in enumerate(lines):
        for source in line.sources:
            assert f"-A PREROUTING -i gw0-w0-eth0 -s {source} -j NFQUEUE --queue-num {number}\n" in text


def test_where_all_paths_are_alike_a_rule_names_no_source() -> None:
    (line, *_) = delay_lines(paths("star", 4))
    assert "-A PREROUTING -i gw0-w0-eth0 -j NFQUEUE --queue-num 0\n" in rules([line])
