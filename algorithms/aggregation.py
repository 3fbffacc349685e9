"""Ways to average gradients over all workers: what `allreduce` chooses among."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping

import torch
from torch import Tensor

from algorithms.algorithm import Bytes, Step, Work, Worker
from algorithms.coder import FLOAT_BYTES, Coder
from algorithms.exchanges.all_to_all import all_to_all, others
from algorithms.exchanges.chunks import length, split
from algorithms.exchanges.ring import ring_allgather
from algorithms.exchanges.summation import SUMMATIONS


class Aggregation(ABC):
    """Leaves the mean of the workers' vectors, the same bits at every worker, in `mean`."""

    def __init__(self, worker: Worker, coder: Coder) -> None:
        self.worker = worker
        self.coder = coder
        self.mean = torch.empty(worker.parameters, device=worker.device)
        codec, count = worker.codec, worker.parameters
        self.whole = codec.max_bytes(count) != codec.payload_bytes(count)  # sizes of payloads depend on the data

    @abstractmethod
    def average(self, vector: Tensor, what: str = "gradient") -> Step:
        """Exchange, and fill `mean`. `what` the vector is, for errors."""

    @abstractmethod
    def sent_bytes(self) -> int:
        """What this worker hands over."""

    def _room(self, size_bytes: int) -> Bytes:
        return torch.empty(size_bytes, dtype=torch.uint8, device=self.worker.device)

    def _divide(self) -> None:
        with self.worker.meter.work(Work.APPLY, FLOAT_BYTES * self.worker.parameters):
            self.mean.div_(self.worker.workers)

    def _add(self, total: Tensor, part: Tensor) -> None:
        with self.worker.meter.work(Work.REDUCE, FLOAT_BYTES * part.numel()):
            total.add_(part)


class ExactMean(Aggregation):
    """float32 by one of the patterns in algorithms/exchanges. Bytes: the pattern's."""

    def __init__(self, worker: Worker, coder: Coder, exchange: str) -> None:
        super().__init__(worker, coder)
        kind = SUMMATIONS.find(exchange)
        self._summation = kind(worker.rank, worker.workers, worker.parameters, worker.meter, worker.device)

    def average(self, vector: Tensor, what: str = "gradient") -> Step:
        """By the pattern."""
        del what  # an infinite sum is not looked for
        yield from self._summation.average(vector, self.mean)

    def sent_bytes(self) -> int:
        """The pattern's."""
        return self._summation.sent_bytes()


class AllgatherMean(Aggregation):
    """Every worker's codes to all, on a ring. Bytes: (n-1) B(N), B the codec's payload.

    At n = 8 and 8 bits that is as much as float32 on a ring moves.
    """

    def __init__(self, worker: Worker, coder: Coder) -> None:
        super().__init__(worker, coder)
        size = worker.codec.max_bytes(worker.parameters)
        self._slots = [self._room(size) for _ in range(worker.workers)]
        self.own = self._slots[worker.rank]  # the payload that this worker sent last
        self._decoded = torch.empty_like(self.mean)

    def average(self, vector: Tensor, what: str = "gradient") -> Step:
        """Gather all payloads, decode and add them in the order of ranks."""
        rank = self.worker.rank
        self.own = self.coder.encode(vector, what, into=self._slots[rank])
        payloads = yield from ring_allgather(rank, self.worker.workers, self._slots, rank, self.own, whole=self.whole)
        self.coder.decode(payloads[0], self.mean)
        for payload in payloads[1:]:
            self.coder.decode(payload, self._decoded)
            self._add(self.mean, self._decoded)
        self._divide()

    def sent_bytes(self) -> int:
        """(n-1) B(N)."""
        return (self.worker.workers - 1) * self.worker.codec.payload_bytes(self.worker.parameters)


class ReduceScatterMean(Aggregation):
    """Codes reduce-scattered, averaged, coded again, allgathered. Bytes: about 2 (n-1)/n B(N).

    Worker i codes its gradient in n chunks and sends chunk j to worker j, which decodes and averages all n
    (its own too: the result is the mean of n *coded* gradients), codes the mean, and passes it round a ring.
    The second coding is unbiased as the first, so that the mean is too.
    """

    def __init__(self, worker: Worker, coder: Coder) -> None:
        super().__init__(worker, coder)
        self._chunks = split(worker.parameters, worker.workers)
        sizes = [worker.codec.part(chunk.start, chunk.stop).max_bytes(length(chunk)) for chunk in self._chunks]
        self._slots = [self._room(size) for size in sizes]  # own gradient's codes, later the means'
        self._rooms = [self._room(sizes[worker.rank]) for _ in range(worker.workers)]
        self._decoded = torch.empty(length(self._chunks[worker.rank]), device=worker.device)

    def average(self, vector: Tensor, what: str = "gradient") -> Step:
        """Scatter and average codes; gather codes of the averages."""
        rank, workers = self.worker.rank, self.worker.workers
        codes = self._encode_chunks(vector, what)
        sizes = yield all_to_all(rank, workers, codes, self._rooms, whole=self.whole)
        received = {peer: self._rooms[peer][:size] for peer, size in zip(others(rank, workers), sizes, strict=True)}
        own = self._average_own_chunk({rank: codes[rank], **received}, what)
        means = yield from ring_allgather(rank, workers, self._slots, rank, own, whole=self.whole)
        for chunk, payload in zip(self._chunks, means, strict=True):
            self.coder.decode(payload, self.mean[chunk], chunk.start)

    def sent_bytes(self) -> int:
        """All other workers' chunks once, and all chunks but the next worker's once."""
        codec = self.worker.codec
        sizes = [codec.part(chunk.start, chunk.stop).payload_bytes(length(chunk)) for chunk in self._chunks]
        rank, workers = self.worker.rank, self.worker.workers
        return 2 * sum(sizes) - sizes[rank] - sizes[(rank + 1) % workers]

    def _encode_chunks(self, vector: Tensor, what: str) -> list[Bytes]:
        return self.coder.encode_parts(vector, what, self._chunks, self._slots)

    def _average_own_chunk(self, payloads: Mapping[int, Bytes], what: str) -> Bytes:
        """Decode all codes of this worker's chunk in the order of ranks; their mean, coded in its slot."""
        chunk = self._chunks[self.worker.rank]
        total = self.mean[chunk]
        self.coder.decode(payloads[0], total, chunk.start)
        for peer in range(1, self.worker.workers):
            self.coder.decode(payloads[peer], self._decoded, chunk.start)
            self._add(total, self._decoded)
        with self.worker.meter.work(Work.APPLY, FLOAT_BYTES * total.numel()):
            total.div_(self.worker.workers)
        return self._encode_mean(total, f"mean {what}")

    def _encode_mean(self, mean: Tensor, what: str) -> Bytes:
        """Of this worker's chunk."""
        rank = self.worker.rank
        return self.coder.encode(mean, what, self._chunks[rank].start, into=self._slots[rank])
