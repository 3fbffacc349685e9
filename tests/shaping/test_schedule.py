"""A schedule as plans: what each link does after each change."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from shaping.delay_lines import delay_lines
from shaping.expected import ShapedPaths
from shaping.plan import LARGEST_U32, LinkShaping, plan
from shaping.schedule import redrawn, scheduled
from testbed.cell import Change, Network, OwnLinks
from testbed.errors import UserError
from topologies import make
from topologies.topology import LinkClass
from topologies.wiring import Wiring, derive

STAR = derive(make("star", workers=4))
RING = derive(make("ring", workers=4))
TREE = derive(make("tree", workers=4, arity=2))


def network(topology: str = "star", **changes: Any) -> Network:
    values: dict[str, Any] = {
        "topology": topology,
        "workers": 4,
        "arity": 2 if topology == "tree" else None,
        "bandwidth_bit_per_s": 1e9,
        "latency_s": 4e-3,
        "queue_bytes": 2**20,
    }
    return Network(**values | changes)


def touching(links: Sequence[LinkShaping], wiring: Wiring, rank: int) -> list[LinkShaping]:
    return [link for link in links if wiring.workers[rank] in (link.end.node, link.end.peer)]


def seen(links: Sequence[LinkShaping], of: Callable[[LinkShaping], Any]) -> set[Any]:
    return {of(link) for link in links}


def is_down(link: LinkShaping) -> bool:
    return link.loss_u32 == LARGEST_U32


def test_without_changes_the_plan_is_the_networks() -> None:
    found = scheduled(network(), (), STAR)
    assert (found.still, found.moments) == (plan(network(), STAR), ())


def test_values_hold_from_their_change_on_and_others_stay() -> None:
    found = scheduled(
        network(), (Change(at_s=1.0, bandwidth_bit_per_s=1e8), Change(at_s=2.0, latency_s=8e-3, loss=0.5)), STAR
    )
    first, second = (moment.plan for moment in found.moments)
    assert seen(found.still, lambda link: (link.rate_byte_per_s, link.delay_ns)) == {(125_000_000, 1_000_000)}
    assert seen(first, lambda link: (link.rate_byte_per_s, link.delay_ns)) == {(12_500_000, 1_000_000)}
    assert seen(second, lambda link: (link.rate_byte_per_s, link.delay_ns, link.loss_u32)) == {
        (12_500_000, 2_000_000, 2**31)
    }
    assert [(moment.at_s, moment.change, moment.ends) for moment in found.moments] == [(1.0, 0, False), (2.0, 1, False)]


def test_a_change_for_all_takes_the_place_of_trunks_and_own_links() -> None:
    tree = network("tree", trunk_bit_per_s=5e9, own_links=(OwnLinks(worker=1, bandwidth_bit_per_s=1e7),))
    found = scheduled(tree, (Change(at_s=1.0, bandwidth_bit_per_s=1e8),), TREE)
    assert len(seen(found.still, lambda link: link.rate_byte_per_s)) == 3
    assert seen(found.moments[0].plan, lambda link: link.rate_byte_per_s) == {12_500_000}


@pytest.mark.parametrize(("name", "wiring"), [("star", STAR), ("ring", RING), ("tree", TREE)])
def test_a_change_for_a_worker_is_for_all_links_at_it_both_ways(name: str, wiring: Wiring) -> None:
    found = scheduled(network(name), (Change(at_s=1.0, worker=2, bandwidth_bit_per_s=1e8),), wiring)
    changed = [link for link in found.moments[0].plan if link.rate_byte_per_s == 12_500_000]
    assert changed == touching(found.moments[0].plan, wiring, 2)
    assert len(changed) == 2 * len(wiring.ends_of(wiring.workers[2]))
    assert all(link.end.link_class is LinkClass.ACCESS for link in changed)


def test_links_that_are_down_lose_all_and_are_then_as_the_schedule_says_meanwhile() -> None:
    schedule = (
        Change(at_s=1.0, worker=3, down_s=2.0),
        Change(at_s=2.0, bandwidth_bit_per_s=1e8),
        Change(at_s=3.0, down_s=1.0),
    )
    moments = scheduled(network(), schedule, STAR).moments
    assert [(moment.at_s, moment.change, moment.ends) for moment in moments] == [
        (1.0, 0, False), (2.0, 1, False), (3.0, 0, True), (3.0, 2, False), (4.0, 2, True),
    ]  # fmt: skip
    down = [[link for link in moment.plan if is_down(link)] for moment in moments]
    assert [len(links) for links in down] == [2, 2, 0, 8, 0]
    assert down[0] == touching(moments[0].plan, STAR, 3)
    assert seen(moments[1].plan, lambda link: link.rate_byte_per_s) == {12_500_000}
    assert seen(moments[-1].plan, lambda link: (link.rate_byte_per_s, link.loss_u32)) == {(12_500_000, 0)}


def test_two_outages_of_the_same_links_last_until_both_are_over() -> None:
    schedule = (Change(at_s=1.0, down_s=5.0), Change(at_s=2.0, worker=0, down_s=1.0))
    moments = scheduled(network(), schedule, STAR).moments
    assert [len([link for link in moment.plan if is_down(link)]) for moment in moments] == [8, 8, 8, 0]


values = st.fixed_dictionaries(
    {},
    optional={
        "bandwidth_bit_per_s": st.sampled_from([5e6, 1e8, 1e9, 1e10]),
        "latency_s": st.floats(4e-3, 0.1),
        "loss": st.sampled_from([0.0, 0.01, 0.2]),
    },
)


@given(
    name=st.sampled_from(["star", "ring", "tree"]),
    parts=st.lists(st.tuples(st.none() | st.integers(0, 3), values, st.none() | st.floats(0.1, 9)), max_size=6),
)
def test_plans_differ_only_in_what_can_change_under_traffic(
    name: str, parts: list[tuple[int | None, dict[str, float], float | None]]
) -> None:
    wiring = {"star": STAR, "ring": RING, "tree": TREE}[name]
    schedule = tuple(
        Change(at_s=float(number), worker=worker, down_s=down_s, **given)
        for number, (worker, given, down_s) in enumerate(parts)
    )
    try:
        found = scheduled(network(name), schedule, wiring)
    except UserError as error:  # a worker's links cannot be shorter than those of the others on the way
        assume("that the other links on the way add" not in str(error))
        raise
    assert [moment.at_s for moment in found.moments] == sorted(moment.at_s for moment in found.moments)
    assert len(found.moments) == len(schedule) + sum(change.down_s is not None for change in schedule)
    for moment in found.moments:
        assert [link.end for link in moment.plan] == list(wiring.ends)
        # Else a token bucket could hold a packet that it never lets go, or packets be led to other delay lines.
        assert seen(moment.plan, lambda link: link.segments) == seen(found.still, lambda link: link.segments)
        assert _places(moment.plan, wiring) == _places(found.still, wiring)
    last = found.moments[-1].plan if found.moments else found.still
    assert not any(is_down(link) for link in last)


def _places(links: Sequence[LinkShaping], wiring: Wiring) -> list[Any]:
    return [line.place for line in delay_lines(ShapedPaths.of(wiring, links))]


def test_a_network_that_cannot_be_is_refused_with_its_change() -> None:
    schedule = (Change(at_s=1.0, loss=0.1), Change(at_s=2.5, jitter_s=1.0))
    with pytest.raises(UserError, match=r"^schedule\[1\], at 2\.5 s: jitter 1 s"):
        scheduled(network(), schedule, STAR)


def test_each_repetition_draws_for_itself() -> None:
    still = scheduled(network(), (), STAR).still
    seeds = [link.seed for repetition in range(5) for link in redrawn(still, repetition)]
    assert len(set(seeds)) == 5 * len(still)
    assert redrawn(still, 0) == still
