"""All-to-all: every worker has a message of its own for every other."""

from __future__ import annotations

from collections.abc import Sequence

from algorithms.algorithm import Bytes, Exchange, Receive, Send


def all_to_all(rank: int, workers: int, outgoing: Sequence[Bytes], rooms: Sequence[Bytes]) -> Exchange:
    """Send outgoing[j] to j and receive j's message in rooms[j], for all j but `rank`, at once.

    One exchange, not a phase for each distance k: no message depends on another, so that the whole costs one
    latency instead of n - 1, which is what this pattern is for. The k-th send goes to rank + k and the k-th
    receive is from rank - k: a sender that writes its messages one after another then meets each receiver's
    port alone.
    """
    distances = range(1, workers)
    return Exchange(
        sends=[Send((rank + k) % workers, outgoing[(rank + k) % workers]) for k in distances],
        receives=[Receive((rank - k) % workers, rooms[(rank - k) % workers]) for k in distances],
    )
