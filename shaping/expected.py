"""What a probe should measure on a shaped network: pure functions of the plan."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from shaping.plan import FRAME_BYTES, LinkShaping
from topologies.wiring import LinkEnd, Wiring

PAYLOAD_BYTES = 1448  # of a full frame of TCP at MTU 1500, with time stamps
ACK_BYTES = 66  # an acknowledgement on the wire: Ethernet 14, IPv4 20, TCP 32 with time stamps
ECHO_BYTES = 98  # on the wire: what ping sends with its usual 56 bytes
BIT_PER_BYTE = 8

FILLED = 0.9  # of a queue; the rest is for acknowledgements of other streams

Pair = tuple[int, int]  # ranks: from, to


@dataclass(frozen=True, kw_only=True)
class ShapedPaths:
    """A wiring and the shaping of its link ends."""

    wiring: Wiring
    shaping: Mapping[str, LinkShaping]  # by interface

    @classmethod
    def of(cls, wiring: Wiring, plan: Sequence[LinkShaping]) -> ShapedPaths:
        """From a plan, in any order."""
        return cls(wiring=wiring, shaping={link.end.interface: link for link in plan})

    def links(self, pair: Pair) -> list[LinkShaping]:
        """The shaping of the links from one rank to another, in order."""
        return [self.shaping[end.interface] for end in self.wiring.path(*pair)]

    def round_trip(self, pair: Pair) -> list[LinkShaping]:
        """The shaping of the links there and back."""
        return self.links(pair) + self.links((pair[1], pair[0]))


def rtt_s(paths: ShapedPaths, pair: Pair, frame_bytes: int = ECHO_BYTES) -> float:
    """Round trip of a frame that is echoed: each link's delay, and the frame's time on the wire at each link."""
    return sum(link.delay_ns / 1e9 + frame_bytes / link.rate_byte_per_s for link in paths.round_trip(pair))


def rtt_deviation_s(paths: ShapedPaths, pair: Pair) -> float:
    """Standard deviation of that round trip: variances of the links' jitter add up."""
    return math.hypot(*(link.jitter_ns / 1e9 for link in paths.round_trip(pair)))


def loss(paths: ShapedPaths, pair: Pair) -> float:
    """Probability that an echo does not come back."""
    return 1 - math.prod(1 - link.loss_u32 / 2**32 for link in paths.round_trip(pair))


def goodput_bit_per_s(paths: ShapedPaths, pair: Pair) -> float:
    """TCP payload per second that one connection gets alone: the slowest link's rate x 1448/1514."""
    return min(_rates(paths, pair).values()) * PAYLOAD_BYTES / FRAME_BYTES


def goodputs_bit_per_s(paths: ShapedPaths, ack_rates: Mapping[Pair, float]) -> dict[Pair, float]:
    """The same where several connections run at once, none of which share a link in the same direction.

    Acknowledgements of one connection travel with the data of another. `ack_rates`: for each connection,
    acknowledgements per second that its receiver sends.
    """
    return {
        pair: min(rate - _ack_bit_per_s(paths, end, ack_rates) for end, rate in _rates(paths, pair).items())
        * PAYLOAD_BYTES
        / FRAME_BYTES
        for pair in ack_rates
    }


def pacing_byte_per_s(paths: ShapedPaths, pair: Pair) -> int:
    """A pace of TCP payload a little above what the path carries: every queue fills, and none overflows soon.

    An eighth of the shortest queue takes the excess of a round trip, where that is between 2.5 % (enough to show a
    link that is faster than tolerated) and 5 %.
    """
    links = paths.links(pair)
    goodput = goodput_bit_per_s(paths, pair) / BIT_PER_BYTE
    excess = min(link.queue_bytes for link in links) / 8 / (goodput * rtt_s(paths, pair))
    return round(goodput * (1 + min(0.05, max(0.025, excess))))


def in_flight_packets(paths: ShapedPaths, pair: Pair) -> int:
    """Super-packets that fill a path and most of its shortest queue: what a stream may have under way."""
    links = paths.links(pair)
    slowest = min(links, key=lambda link: link.rate_byte_per_s)
    super_packet = slowest.segments * FRAME_BYTES
    full_s = rtt_s(paths, pair, super_packet) + 2 * rtt_deviation_s(paths, pair)
    in_queue = FILLED * min(link.queue_bytes for link in links)
    return math.ceil((slowest.rate_byte_per_s * full_s + in_queue) / super_packet)


def _rates(paths: ShapedPaths, pair: Pair) -> dict[LinkEnd, float]:
    return {link.end: link.rate_byte_per_s * BIT_PER_BYTE for link in paths.links(pair)}


def _ack_bit_per_s(paths: ShapedPaths, end: LinkEnd, ack_rates: Mapping[Pair, float]) -> float:
    return sum(
        per_s * ACK_BYTES * BIT_PER_BYTE
        for (source, target), per_s in ack_rates.items()
        if end in paths.wiring.path(target, source)
    )
