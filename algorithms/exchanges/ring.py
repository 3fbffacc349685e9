"""ring: each worker sends to the next and receives from the one before.

n - 1 phases for each of reduce-scatter and allgather; in every phase each worker sends one chunk of about
N/n. Bandwidth-optimal (Patarasuk & Yuan 2009): 2 N (n-1)/n values sent per worker for the two; 2 (n-1)
dependent messages.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence

import torch
from torch import Tensor

from algorithms.algorithm import Bytes, Exchange, Meter, Operation, Receive, Send, Step
from algorithms.exchanges.chunks import length, split
from algorithms.exchanges.summation import FLOAT_BYTES, SUMMATIONS, Summation, message


@SUMMATIONS.register("ring")
class RingAllreduce(Summation):
    """Reduce-scatter, then allgather. Bytes: 8 N (n-1)/n where n divides N.

    State: room for one received chunk. Every worker ends with the same bits, as each chunk is summed once.
    """

    def __init__(self, rank: int, workers: int, count: int, meter: Meter, device: torch.device) -> None:
        super().__init__(rank, workers, count, meter, device)
        self._chunks = split(count, workers)
        self._room = self.room(max(map(length, self._chunks)))

    def sum(self, values: Tensor) -> Step:
        """Sum each chunk at one worker, gather the sums."""
        yield from self._reduce_scatter(values, values)
        yield from self._allgather(values)

    def average(self, vector: Tensor, into: Tensor) -> Step:
        """As `sum`, but each chunk is divided where it was summed, and sums are written without copying `vector` first.

        On a machine whose workers share its memory, what each saves is time that none waits for another.
        """
        yield from self._reduce_scatter(vector, into)
        self.divide(into[self._chunks[self._own % self.workers]])
        yield from self._allgather(into)

    def sent_bytes(self) -> int:
        """4 (2N - two chunks): all chunks but one in each half; with n | N, 8 N (n-1)/n."""
        kept = [(self.rank + 1) % self.workers, (self.rank + 2) % self.workers]
        return FLOAT_BYTES * (2 * self.count - sum(length(self._chunks[index]) for index in kept))

    @property
    def _own(self) -> int:
        """The chunk that is summed here, before it is taken modulo n."""
        return self.rank + 1

    def _reduce_scatter(self, values: Tensor, into: Tensor) -> Step:
        """Leave the whole sum of the own chunk in `into`; other chunks there hold partial sums, or nothing."""
        outgoing = values[self._chunks[self.rank]]
        for phase in range(self.workers - 1):
            chunk = self._chunks[(self.rank - phase - 1) % self.workers]
            received = self._room[: length(chunk)]
            yield _pass_on(self.rank, self.workers, message(outgoing), message(received), phase)
            self.add(values[chunk], received, into[chunk])
            outgoing = into[chunk]

    def _allgather(self, values: Tensor) -> Step:
        slots = [message(values[chunk]) for chunk in self._chunks]
        yield from ring_allgather(self.rank, self.workers, slots, own=self._own)


def ring_allgather(
    rank: int, workers: int, slots: Sequence[Bytes], own: int, payload: Bytes | None = None, *, whole: bool = False
) -> Generator[Operation, Sequence[int], list[Bytes]]:
    """Fill every slot, beginning with slot `own` (mod n) filled, or holding `payload`; what came, by slot.

    own - rank is the same at all workers; slots have the same sizes at every worker. `whole`: payloads may be shorter.
    """
    filled = list(slots)
    filled[own % workers] = slots[own % workers] if payload is None else payload
    for phase in range(workers - 1):
        outgoing, incoming = (own - phase) % workers, (own - phase - 1) % workers
        sizes = yield _pass_on(rank, workers, filled[outgoing], slots[incoming], phase, whole=whole)
        filled[incoming] = slots[incoming][: sizes[0]]
    return filled


def _pass_on(rank: int, workers: int, data: Bytes, into: Bytes, phase: int, *, whole: bool = False) -> Exchange:
    return Exchange(
        sends=(Send((rank + 1) % workers, data, phase, whole),),
        receives=(Receive((rank - 1) % workers, into, phase, whole),),
    )
