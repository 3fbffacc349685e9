"""Byte counters of a worker: its TCP connections (TCP_INFO) and its emulated host's interfaces."""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterator
from pathlib import Path

from shaping.plan import RECEIVING_MARK
from testbed.workers.protocol import SocketCounters

TCP_INFO_BYTES = 256
# Offsets into struct tcp_info (include/uapi/linux/tcp.h), fixed since Linux 4.19.
_BYTES_ACKED = struct.Struct("=120xQ")
_SEGMENTS_OUT = struct.Struct("=136xI")
_DATA_SEGMENTS_OUT = struct.Struct("=156xI")
_BYTES_SENT_AND_RETRANSMITTED = struct.Struct("=200xQQ")
_NEEDLESS = struct.Struct("=216xI")  # tcpi_dsack_dups

_SCHEDULING = Path("/proc/self/schedstat")  # nanoseconds run, nanoseconds waited, times run

SocketKey = tuple[int, str, int]  # local port, peer address, peer port


def parse_tcp_info(peer: str, info: bytes) -> SocketCounters:
    """The counters of one connection from the bytes of its struct tcp_info."""
    sent, retransmitted = _BYTES_SENT_AND_RETRANSMITTED.unpack_from(info)
    return SocketCounters(
        peer=peer,
        payload_bytes=sent - retransmitted,
        acked_bytes=_BYTES_ACKED.unpack_from(info)[0],
        retransmitted_bytes=retransmitted,
        segments=_SEGMENTS_OUT.unpack_from(info)[0],
        data_segments=_DATA_SEGMENTS_OUT.unpack_from(info)[0],
        needless=_NEEDLESS.unpack_from(info)[0],
    )


def own_sockets() -> dict[SocketKey, SocketCounters]:
    """Counters of every established TCP connection of this process to another address."""
    found = {}
    for connection in _connections():
        peer, peer_port = connection.getpeername()
        info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, TCP_INFO_BYTES)
        found[connection.getsockname()[1], peer, peer_port] = parse_tcp_info(peer, info)
    return found


def waited_s() -> float:
    """Seconds that this worker was ready to run and had no processor; 0 where the kernel does not count them."""
    return int(_SCHEDULING.read_text().split()[1]) / 1e9 if _SCHEDULING.exists() else 0.0


def forget_acknowledgement_history() -> None:
    """Make every own connection delay its acknowledgements as at its start.

    A connection whose delayed acknowledgement once came late acknowledges every frame from then on (the kernel's quick
    mode), which is 2 % of a slow link: what a block of steps costs would depend on the pause before it.
    """
    for connection in _connections():
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 0)


def _connections() -> Iterator[socket.socket]:
    """Every established TCP connection of this process to another address, as a duplicate that is closed afterwards."""
    for entry in Path("/proc/self/fd").iterdir():
        try:
            if not entry.readlink().name.startswith("socket:"):
                continue
            duplicate = socket.socket(fileno=os.dup(int(entry.name)))
        except OSError:
            continue  # the descriptor that listed the folder is gone by now
        with duplicate:
            if _is_to_another_host(duplicate):
                yield duplicate


def _is_to_another_host(connection: socket.socket) -> bool:
    if connection.family != socket.AF_INET or connection.type != socket.SOCK_STREAM:
        return False
    try:
        return bool(connection.getpeername()[0] != connection.getsockname()[0])
    except OSError:
        return False  # listening


def interface_totals() -> dict[str, tuple[int, int]]:
    """Bytes and packets that each interface of this host has transmitted; neither loopback nor the shaping's own."""
    totals = {}
    for line in Path("/proc/self/net/dev").read_text().splitlines()[2:]:
        name, _, values = line.partition(":")
        columns = values.split()
        # What arrives passes the shaping's own devices once more; it was counted where it was transmitted.
        if name.strip() != "lo" and RECEIVING_MARK not in name:
            totals[name.strip()] = (int(columns[8]), int(columns[9]))
    return totals
