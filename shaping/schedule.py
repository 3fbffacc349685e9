"""A schedule of changes as plans: what every link is to do after each of them. Pure functions of network and wiring."""

from __future__ import annotations

import dataclasses
import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from shaping.link_settings import own_marks
from shaping.plan import LARGEST_U32, SUPER_PACKET_S, LinkShaping, plan
from testbed.cell import Change, Network, OwnLinks
from testbed.errors import UserError
from topologies.wiring import LinkEnd, Wiring

_VALUES = ("bandwidth_bit_per_s", "latency_s", "jitter_s", "loss")

Plan = tuple[LinkShaping, ...]


@dataclass(frozen=True, kw_only=True)
class Moment:
    """When links are told to be otherwise, and what all of them are to do from then on."""

    at_s: float
    change: int  # of the schedule, counted from 0
    ends: bool  # the links that this change took down are up again
    plan: Plan


@dataclass(frozen=True, kw_only=True)
class Scheduled:
    """The plan before any change, and a moment for each time at which something changes, in order of time.

    All plans have super-packets of one size: a token bucket may hold one that a smaller size would never let go.
    """

    still: Plan
    moments: tuple[Moment, ...]


def scheduled(
    network: Network, schedule: Sequence[Change], wiring: Wiring, super_packet_s: float = SUPER_PACKET_S
) -> Scheduled:
    """The plans of a network with a schedule.

    Raises:
        UserError: links cannot be shaped as they are to be, at first or after some change, which is then named.
    """
    named = sorted({change.worker for change in schedule if change.worker is not None})
    first = dataclasses.replace(network, own_links=own_marks(named) + network.own_links) if named else network
    plans = [plan(first, wiring, super_packet_s)]
    after = first
    for number, change in enumerate(schedule):
        after = changed(after, change)
        try:
            plans.append(plan(after, wiring, super_packet_s))
        except UserError as error:
            raise UserError(f"schedule[{number}], at {change.at_s:g} s: {error}") from None
    still, *later = _alike(plans)
    return Scheduled(still=still, moments=tuple(_moments(schedule, later, still, wiring)))


def _alike(plans: Sequence[Plan]) -> list[Plan]:
    """The plans with the smallest of their super-packets."""
    segments = min(link.segments for links in plans for link in links)
    return [tuple(dataclasses.replace(link, segments=segments) for link in links) for links in plans]


def changed(network: Network, change: Change) -> Network:
    """The network with the values that a change names on the links that it names, trunks too where it means all."""
    given: dict[str, Any] = {name: value for name in _VALUES if (value := getattr(change, name)) is not None}
    if change.worker is not None:
        return dataclasses.replace(network, own_links=(*network.own_links, OwnLinks(worker=change.worker, **given)))
    nothing: dict[str, Any] = dict.fromkeys(given)
    own_links = tuple(dataclasses.replace(own, **nothing) for own in network.own_links)
    trunk_bit_per_s = network.trunk_bit_per_s if change.bandwidth_bit_per_s is None else None
    return dataclasses.replace(network, own_links=own_links, trunk_bit_per_s=trunk_bit_per_s, **given)


def _moments(schedule: Sequence[Change], after: Sequence[Plan], still: Plan, wiring: Wiring) -> Iterator[Moment]:
    """One for each change, and one for each end of a time that links are down; ends come first where both coincide."""
    downs: list[tuple[float, int]] = []  # when they end, and the change
    latest = still
    for number, change in enumerate(schedule):
        while downs and downs[0][0] <= change.at_s:
            yield _end(downs, latest, schedule, wiring)
        latest = after[number]
        if change.down_s is not None:
            heapq.heappush(downs, (change.at_s + change.down_s, number))
        yield Moment(at_s=change.at_s, change=number, ends=False, plan=_cut(latest, downs, schedule, wiring))
    while downs:
        yield _end(downs, latest, schedule, wiring)


def _end(downs: list[tuple[float, int]], latest: Plan, schedule: Sequence[Change], wiring: Wiring) -> Moment:
    at_s, number = heapq.heappop(downs)
    return Moment(at_s=at_s, change=number, ends=True, plan=_cut(latest, downs, schedule, wiring))


def _cut(links: Plan, downs: Sequence[tuple[float, int]], schedule: Sequence[Change], wiring: Wiring) -> Plan:
    """The plan in which links that are down lose every packet. Packets that were under way before still arrive."""
    workers = [schedule[number].worker for _, number in downs]
    return tuple(
        dataclasses.replace(link, loss_u32=LARGEST_U32) if _is_named(link.end, workers, wiring) else link
        for link in links
    )


def _is_named(end: LinkEnd, workers: Sequence[int | None], wiring: Wiring) -> bool:
    return any(worker is None or wiring.workers[worker] in (end.node, end.peer) for worker in workers)


def redrawn(links: Plan, repetition: int) -> Plan:
    """The same plan with draws of loss and jitter of the repetition's own: the same in every run."""
    return tuple(dataclasses.replace(link, seed=link.seed + repetition * len(links)) for link in links)
