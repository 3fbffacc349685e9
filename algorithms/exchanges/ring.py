"""Patterns on a ring of workers: each sends to the next and receives from the one before.

n - 1 phases for each of reduce-scatter and allgather; in every phase each worker sends one chunk of about
N/n. Bandwidth-optimal (Patarasuk & Yuan 2009): 2 N (n-1)/n values sent per worker for the two; 2 (n-1)
dependent messages.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from algorithms.algorithm import Bytes, Exchange, Meter, Receive, Send, Step, Work
from algorithms.exchanges.chunks import length, split

FLOAT_BYTES = 4


class RingAllreduce:
    """Sum of float32 vectors over all workers, in place: reduce-scatter, then allgather.

    State: room for one received chunk. Every worker ends with the same bits, as each chunk is summed once.
    """

    def __init__(self, rank: int, workers: int, count: int, meter: Meter, device: torch.device) -> None:
        self._rank, self._workers, self._meter = rank, workers, meter
        self._chunks = split(count, workers)
        self._room = torch.empty(max(map(length, self._chunks)), device=device)

    def sum(self, values: Tensor) -> Step:
        """Replace `values` (float32, flat and contiguous) by the sum over workers."""
        yield from self._reduce_scatter(values)
        slots = [values[chunk].view(torch.uint8) for chunk in self._chunks]
        yield from ring_allgather(self._rank, self._workers, slots, own=self._rank + 1)

    def sent_bytes(self) -> int:
        """4 (2N - two chunks): all chunks but one in each half; with n | N, 8 N (n-1)/n."""
        kept = [(self._rank + 1) % self._workers, (self._rank + 2) % self._workers]
        total = sum(map(length, self._chunks))
        return FLOAT_BYTES * (2 * total - sum(length(self._chunks[index]) for index in kept))

    def _reduce_scatter(self, values: Tensor) -> Step:
        """Leave the whole sum of chunk rank + 1 in place; other chunks hold partial sums."""
        for phase in range(self._workers - 1):
            outgoing = values[self._chunks[(self._rank - phase) % self._workers]]
            partial = values[self._chunks[(self._rank - phase - 1) % self._workers]]
            received = self._room[: partial.numel()]
            yield _pass_on(self._rank, self._workers, outgoing.view(torch.uint8), received.view(torch.uint8), phase)
            with self._meter.work(Work.REDUCE, received.nbytes):
                partial.add_(received)


def ring_allgather(rank: int, workers: int, slots: Sequence[Bytes], own: int) -> Step:
    """Fill every slot, beginning with slot `own` (mod n) filled.

    own - rank is the same at all workers; slots have the same sizes at every worker.
    """
    for phase in range(workers - 1):
        outgoing, incoming = slots[(own - phase) % workers], slots[(own - phase - 1) % workers]
        yield _pass_on(rank, workers, outgoing, incoming, phase)


def _pass_on(rank: int, workers: int, data: Bytes, into: Bytes, phase: int) -> Exchange:
    return Exchange(
        sends=(Send((rank + 1) % workers, data, phase),),
        receives=(Receive((rank - 1) % workers, into, phase),),
    )
