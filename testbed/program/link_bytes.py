"""Bytes and packets on the links of a network, as the kernel counts them at both ends."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from topologies.wiring import LinkEnd, Wiring, reverse

Counts = dict[str, tuple[int, int]]  # of a link end's interface: bytes and packets that it has transmitted
_TRANSMITTED_BYTES, _TRANSMITTED_PACKETS = 8, 9  # columns of /proc/net/dev


def counts(wiring: Wiring, pid_of: Callable[[str], int]) -> Counts:
    """What every link end has transmitted; `pid_of` tells a process in a node's network namespace."""
    found: Counts = {}
    for node in (*wiring.workers, *wiring.switches):
        transmitted = parse(Path(f"/proc/{pid_of(node)}/net/dev").read_text())
        found |= {end.interface: transmitted[end.interface] for end in wiring.ends_of(node)}
    return found


def parse(text: str) -> Counts:
    """Of each interface of a /proc/net/dev, what it has transmitted."""
    rows = (line.partition(":") for line in text.splitlines()[2:])
    columns = {name.strip(): values.split() for name, _, values in rows}
    return {name: (int(row[_TRANSMITTED_BYTES]), int(row[_TRANSMITTED_PACKETS])) for name, row in columns.items()}


def documents(wiring: Wiring, before: Counts, after: Counts) -> list[dict[str, Any]]:
    """The `links` of a program's document: two ends each, and what went there and back between both counts."""
    forward = wiring.ends[: len(wiring.ends) // 2]
    return [_document(end, before, after) for end in forward]


def _document(end: LinkEnd, before: Counts, after: Counts) -> dict[str, Any]:
    ways = [end.interface, reverse(end).interface]
    sent = [(after[way][0] - before[way][0], after[way][1] - before[way][1]) for way in ways]
    return {
        "ends": [_short(end.node), _short(end.peer)],
        "bytes": [size for size, _ in sent],
        "packets": [packets for _, packets in sent],
    }


def _short(node: str) -> str:
    """A node's name without the prefix of what is ours: `w0`."""
    return node.rpartition("-")[2]
