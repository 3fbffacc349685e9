"""What derives from a topology: delays, rates, paths, addresses."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.errors import UserError
from topologies import make, names
from topologies.addressing import address, forwarding, mac, neighbours, routes, worker_ip
from topologies.topology import LinkClass
from topologies.wiring import delay_s, derive, longest_round_trip, rate_bit_per_s, reverse


@st.composite
def wirings(draw, kinds=("ring", "star", "tree")):
    name = draw(st.sampled_from(kinds))
    workers = draw(st.integers(3, 32))
    arity = draw(st.integers(2, 8)) if name == "tree" else None
    return derive(make(name, workers=workers, arity=arity))


@given(wirings())
def test_paths_lead_from_source_to_target(wiring):
    ranks = range(len(wiring.workers))
    for source in ranks:
        for target in ranks:
            if source != target:
                path = wiring.path(source, target)
                assert path[0].node == wiring.workers[source]
                assert path[-1].peer == wiring.workers[target]
                assert all(one.peer == next_.node for one, next_ in pairwise(path))


@given(wirings(kinds=("ring",)))
def test_ring_takes_the_shorter_way_and_the_right_one_at_equal_distance(wiring):
    n = len(wiring.workers)
    for source in range(n):
        for target in range(n):
            if source != target:
                right = (target - source) % n
                assert wiring.hops(source, target) == min(right, n - right)
                step = 1 if right <= n - right else -1
                assert wiring.path(source, target)[0].peer == wiring.workers[(source + step) % n]


@given(wirings(kinds=("ring",)))
def test_following_routes_takes_the_derived_path(wiring):
    n = len(wiring.workers)
    tables = [{route.target: route.via for route in routes(wiring, rank)} for rank in range(n)]
    addresses = [worker_ip(rank) for rank in range(n)]
    for source in range(n):
        for target in range(n):
            if source != target:
                at, hops = source, 0
                while at != target and hops <= n:
                    at, hops = addresses.index(tables[at][addresses[target]]), hops + 1
                assert hops == wiring.hops(source, target)


@given(wirings(kinds=("star", "tree")))
def test_following_forwarding_entries_takes_the_derived_path(wiring):
    ends = {end.interface: end for end in wiring.ends}
    tables = {
        switch: {entry.mac: entry.interface for entry in forwarding(wiring, switch)} for switch in wiring.switches
    }
    for target, node in enumerate(wiring.workers):
        hardware = mac(wiring, node, wiring.ends_of(node)[0].interface)
        source = (target + 1) % len(wiring.workers)
        end, taken = wiring.ends_of(wiring.workers[source])[0], []
        while True:
            taken.append(end)
            if end.peer == node:
                break
            assert len(taken) < 5
            end = ends[tables[end.peer][hardware]]
        assert tuple(taken) == wiring.path(source, target)


@given(wirings())
def test_both_directions_of_every_link_exist_once(wiring):
    assert len(set(wiring.ends)) == len(wiring.ends)
    assert {reverse(end) for end in wiring.ends} == set(wiring.ends)


@given(wirings())
def test_addresses_are_unique(wiring):
    hardware = [mac(wiring, end.node, end.interface) for end in wiring.ends]
    assert len(set(hardware)) == len(hardware)
    ips = [address(wiring, rank).ip for rank in range(len(wiring.workers))]
    assert len(set(ips)) == len(ips)


@given(wirings())
def test_neighbours_are_the_other_ends(wiring):
    by_mac = {mac(wiring, end.node, end.interface): end.node for end in wiring.ends}
    for rank in range(len(wiring.workers)):
        for entry in neighbours(wiring, rank):
            node = by_mac[entry.mac]
            assert entry.ip == worker_ip(wiring.workers.index(node))


@pytest.mark.parametrize(("name", "links"), [("ring", 2), ("star", 4), ("tree", 4)])
def test_delays_of_a_neighbours_round_trip_add_up_to_the_latency(name, links):
    wiring = derive(make(name, workers=4))
    assert wiring.hops(0, 1) + wiring.hops(1, 0) == links
    assert links * delay_s(wiring, 0.13e-3) == pytest.approx(0.13e-3, rel=1e-12)


def test_trunks_have_a_rate_of_their_own_where_given():
    wiring = derive(make("tree", workers=4, arity=2))
    trunks = [end for end in wiring.ends if end.link_class is LinkClass.TRUNK]
    assert len(trunks) == 4
    assert {rate_bit_per_s(end, 1e6, 5e5) for end in trunks} == {5e5}
    assert {rate_bit_per_s(end, 1e6, None) for end in wiring.ends} == {1e6}


def test_longest_round_trip():
    assert longest_round_trip(derive(make("ring", workers=8))) == (0, 4)
    assert longest_round_trip(derive(make("tree", workers=8, arity=4))) == (0, 4)


@pytest.mark.parametrize(
    ("name", "workers", "arity", "said"),
    [
        ("ring", 2, None, "topology ring needs at least 3 workers, got 2"),
        ("star", 1, None, "topology star needs at least 2 workers, got 1"),
        ("star", 33, None, "workers 33 exceeds the 32"),
        ("tree", 4, 1, "arity 1"),
        ("star", 4, 2, "arity 2 is for trees"),
        ("torus", 4, None, "choose one of ring, star, tree"),
    ],
)
def test_impossible_topologies_are_refused(name, workers, arity, said):
    with pytest.raises(UserError, match=said):
        make(name, workers=workers, arity=arity)


def test_interface_names_fit_the_kernel():
    for name in names():
        wiring = derive(make(name, workers=32, prefix="gw99-"))
        assert all(len(end.interface) <= 15 for end in wiring.ends)
    with pytest.raises(UserError, match="shorter prefix"):
        make("star", workers=2, prefix="much-too-long-")
