"""What a network says of one link, in SI units: that of all links, or what a worker's links have of their own."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from testbed.cell import Network, OwnLinks
from testbed.errors import UserError
from topologies.wiring import LinkEnd, Wiring, delay_s, rate_bit_per_s


@dataclass(frozen=True, kw_only=True)
class LinkSettings:
    """One direction of a link."""

    rate_bit_per_s: float
    delay_s: float  # one way
    deviation_s: float  # of that delay
    loss: float
    latency_s: float  # what delay and deviation were derived from: the round trip between neighbouring workers
    jitter_s: float
    own: bool  # some worker has links of its own here


def settings(network: Network, wiring: Wiring, end: LinkEnd) -> LinkSettings:
    """What one direction of a link is to do.

    Between neighbouring workers lie `links_between_neighbours` links, of which a worker with links of its own has one:
    its round trip is twice that link's delay and twice the other links'. Variances add up alike.

    Raises:
        UserError: the other links alone take longer, or vary more, than the round trip that was asked for.
    """
    owned = [own for own in network.own_links if wiring.workers[own.worker] in (end.node, end.peer)]
    rate = _latest(own.bandwidth_bit_per_s for own in owned)
    latency_s = _latest(own.latency_s for own in owned)
    jitter_s = _latest(own.jitter_s for own in owned)
    loss = _latest(own.loss for own in owned)
    common_delay_s = delay_s(wiring, network.latency_s)
    common_deviation_s = network.jitter_s / math.sqrt(2 * wiring.links_between_neighbours)
    others = wiring.links_between_neighbours - 1
    common_rate = rate_bit_per_s(end, network.bandwidth_bit_per_s, network.trunk_bit_per_s)
    return LinkSettings(
        rate_bit_per_s=common_rate if rate is None else rate,
        delay_s=common_delay_s if latency_s is None else _own_delay_s(latency_s, others * common_delay_s),
        deviation_s=common_deviation_s
        if jitter_s is None
        else _own_deviation_s(jitter_s, math.sqrt(others) * common_deviation_s),
        loss=network.loss if loss is None else loss,
        latency_s=network.latency_s if latency_s is None else latency_s,
        jitter_s=network.jitter_s if jitter_s is None else jitter_s,
        own=bool(owned),
    )


def own_marks(workers: Iterable[int]) -> tuple[OwnLinks, ...]:
    """Workers whose links are as all others, but may come to differ."""
    return tuple(OwnLinks(worker=worker) for worker in workers)


def _latest(values: Iterable[float | None]) -> float | None:
    """The last value that was given."""
    given = [value for value in values if value is not None]
    return given[-1] if given else None


def _own_delay_s(latency_s: float, others_s: float) -> float:
    own_s = latency_s / 2 - others_s
    if own_s < 0:
        raise UserError(
            f"latency {latency_s:g} s to one worker is less than the {2 * others_s:g} s that the other links on the "
            f"way add; choose at least that"
        )
    return own_s


def _own_deviation_s(jitter_s: float, others_s: float) -> float:
    variance = jitter_s**2 / 2 - others_s**2
    if variance < 0:
        raise UserError(
            f"jitter {jitter_s:g} s to one worker is less than the {math.sqrt(2) * others_s:g} s that the other links "
            f"on the way add; choose at least that"
        )
    return math.sqrt(variance)
