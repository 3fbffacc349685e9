"""The identities of bytes.

declared = handed over = on the sockets less MPI's headers; every byte on the interfaces is explained.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from statistics import fmean
from typing import Any

from testbed.session.worker_group import MPI_HEADER_BYTES
from testbed.workers.protocol import Counters

# Ethernet 14, IPv4 20, TCP 20 and its time-stamp option 12. A super-packet (GSO) carries them once on a veth
# interface, and once per segment on a real wire.
HEADER_BYTES = 66
# What an acknowledgement is longer by that reports a needless repeat (RFC 2883): one block of the SACK option, padded.
REPORT_BYTES = 12


@dataclass(frozen=True)
class SocketTotals:
    """What all workers' TCP connections sent, and how much of it other hosts forwarded."""

    payload_bytes: int
    retransmitted_bytes: int
    segments: int
    data_segments: int
    transit_bytes: int  # payload and retransmits, once for every link after the first
    transit_acks: int
    reports: int  # of needless repeats, by each host that transmits them


@dataclass(frozen=True)
class InterfaceBytes:
    """Bytes that the hosts' interfaces transmitted, and what explains them."""

    total: float
    payload: float
    headers: float
    acks: float
    retransmits: float
    transit: float
    reports: float  # of needless repeats: what acknowledgements with them are longer
    unexplained: float


def socket_totals(
    before: Sequence[Counters], after: Sequence[Counters], host_links: Callable[[int, str], int]
) -> SocketTotals:
    """Differences of two snapshots, summed over workers.

    `host_links(rank, peer address)` is how many hosts transmit a packet of that connection: 1 across switches, more
    where hosts forward (a ring of direct links).
    """
    payload = retransmitted = segments = data_segments = transit = transit_acks = reports = 0
    for rank, (first, last) in enumerate(zip(before, after, strict=True)):
        for key, counters in last.sockets.items():
            base = first.sockets.get(key)
            new_payload = counters.payload_bytes - (base.payload_bytes if base else 0)
            new_retransmitted = counters.retransmitted_bytes - (base.retransmitted_bytes if base else 0)
            new_segments = counters.segments - (base.segments if base else 0)
            new_data_segments = counters.data_segments - (base.data_segments if base else 0)
            forwards = host_links(rank, counters.peer) - 1
            payload += new_payload
            retransmitted += new_retransmitted
            segments += new_segments
            data_segments += new_data_segments
            transit += (new_payload + new_retransmitted) * forwards
            transit_acks += (new_segments - new_data_segments) * forwards
            reports += (counters.needless - (base.needless if base else 0)) * (forwards + 1)
    return SocketTotals(payload, retransmitted, segments, data_segments, transit, transit_acks, reports)


def interface_bytes(before: Sequence[Counters], after: Sequence[Counters], sockets: SocketTotals) -> InterfaceBytes:
    """Explain what the interfaces transmitted between two snapshots by what the sockets sent."""
    total = packets = 0
    for first, last in zip(before, after, strict=True):
        for name, (sent, count) in last.interfaces.items():
            sent_before, count_before = first.interfaces.get(name, (0, 0))
            total += sent - sent_before
            packets += count - count_before
    acks = (sockets.segments - sockets.data_segments + sockets.transit_acks) * HEADER_BYTES
    headers = packets * HEADER_BYTES - acks
    reports = sockets.reports * REPORT_BYTES
    payload = sockets.payload_bytes + sockets.retransmitted_bytes + sockets.transit_bytes
    explained = payload + packets * HEADER_BYTES + reports
    return InterfaceBytes(
        total=total,
        payload=sockets.payload_bytes,
        headers=headers,
        acks=acks,
        retransmits=sockets.retransmitted_bytes,
        transit=sockets.transit_bytes,
        reports=reports,
        unexplained=total - explained,
    )


def account(
    before: Sequence[Counters],
    after: Sequence[Counters],
    *,
    declared_bytes: int,
    steps: int,
    host_links: Callable[[int, str], int],
) -> dict[str, Any]:
    """The `bytes` of a cell document: totals over all workers, per step."""
    sockets = socket_totals(before, after, host_links)
    handed = sum(last.handed_bytes - first.handed_bytes for first, last in zip(before, after, strict=True))
    messages = sum(last.messages - first.messages for first, last in zip(before, after, strict=True))
    on_interfaces = asdict(interface_bytes(before, after, sockets))
    return {
        "declared_per_step": declared_bytes / steps,
        "handed_per_step": handed / steps,
        "messages_per_step": messages / steps,
        "socket_per_step": sockets.payload_bytes / steps,
        "mpi_header_per_step": messages * MPI_HEADER_BYTES / steps,
        "wire_per_step": (sockets.payload_bytes + sockets.retransmitted_bytes + sockets.segments * HEADER_BYTES)
        / steps,
        "retransmitted_per_step": sockets.retransmitted_bytes / steps,
        "interface": {name: value / steps for name, value in on_interfaces.items()},
    }


def mean_account(accounts: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """One account of several over equally many steps."""
    return {
        key: mean_account([one[key] for one in accounts])
        if isinstance(value, dict)
        else fmean(one[key] for one in accounts)
        for key, value in accounts[0].items()
    }
