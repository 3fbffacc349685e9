"""terngrad: ternary gradients of scales that all workers share (Wen et al. 2017, arXiv:1705.07878)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from algorithms.aggregation import Aggregation
from algorithms.algorithm import ALGORITHMS, Bytes, Step, Work, Worker
from algorithms.centralized import Centralized
from algorithms.codecs.codec import bytes_of, float32_of
from algorithms.codecs.terngrad import Terngrad as TerngradCodec
from algorithms.coder import FLOAT_BYTES, Coder
from algorithms.exchanges.all_to_all import all_to_all, others
from algorithms.exchanges.chunks import length, split
from algorithms.exchanges.ring import ring_allgather


class TernaryMean(Aggregation):
    """Scales gathered, digits reduce-scattered and added up, sums allgathered: coded once, as sums are digits too.

    Bytes: 4 L (n-1) for the scales of L buckets, about (n-1)/n of the codes and (n-1)/n N ceil(log2(2n + 1)) / 8.
    """

    def __init__(self, worker: Worker, coder: Coder, codec: TerngradCodec) -> None:
        super().__init__(worker, coder)
        self._codec = codec
        self._chunks = split(worker.parameters, worker.workers)
        parts = list(map(self._part, self._chunks))
        counts = list(map(length, self._chunks))
        sizes = [part.payload_bytes(count) for part, count in zip(parts, counts, strict=True)]
        self._slots = [self._room(size) for size in sizes]
        self._rooms = [self._room(sizes[worker.rank]) for _ in sizes]
        self._sums = [
            self._room(part.sum_bytes(count, worker.workers)) for part, count in zip(parts, counts, strict=True)
        ]
        self._scales = [self._room(FLOAT_BYTES * codec.buckets(worker.parameters).count) for _ in sizes]
        self._digits = torch.empty(counts[worker.rank], device=worker.device)

    def average(self, vector: Tensor, what: str = "gradient") -> Step:
        """Share scales; scatter codes, add them up; gather the sums."""
        rank, workers = self.worker.rank, self.worker.workers
        yield from self._share_scales(vector)
        codes = self.coder.encode_parts(vector, what, self._chunks, self._slots)
        yield all_to_all(rank, workers, codes, self._rooms)
        received = {peer: self._rooms[peer] for peer in others(rank, workers)}
        own = self._sum_own_chunk({rank: codes[rank], **received})
        sums = yield from ring_allgather(rank, workers, self._sums, rank, own)
        for chunk, payload in zip(self._chunks, sums, strict=True):
            part = self._part(chunk)
            with self.worker.meter.coding(Work.DECODE, part.charges(length(chunk))):
                part.decode_mean(payload, workers, self.mean[chunk])

    def sent_bytes(self) -> int:
        """All others' digits once, all sums but the next worker's once, and the scales of all but the next worker."""
        rank, workers = self.worker.rank, self.worker.workers
        codes, sums = sum(slot.numel() for slot in self._slots), sum(slot.numel() for slot in self._sums)
        left_out = self._slots[rank].numel() + self._sums[(rank + 1) % workers].numel()
        return codes + sums - left_out + (workers - 1) * self._scales[rank].numel()

    def _share_scales(self, vector: Tensor) -> Step:
        """The largest of all workers', bucket by bucket; values are still clipped at this worker's own."""
        with self.worker.meter.work(Work.REDUCE, FLOAT_BYTES * vector.numel()):
            own = self._codec.scales(vector)
        rank, workers = self.worker.rank, self.worker.workers
        gathered = yield from ring_allgather(rank, workers, self._scales, rank, bytes_of(own))
        shared = torch.stack([float32_of(scales) for scales in gathered]).amax(dim=0)
        self._codec.share(shared, own)

    def _sum_own_chunk(self, payloads: Mapping[int, Bytes]) -> Bytes:
        """All workers' digits of this worker's chunk, added: whole numbers, exact in any order."""
        chunk = self._chunks[self.worker.rank]
        part, total = self._part(chunk), self.mean[chunk].zero_()
        for payload in payloads.values():
            with self.worker.meter.coding(Work.DECODE, part.charges(total.numel())):
                part.digits(payload, self._digits)
            self._add(total, self._digits)
        with self.worker.meter.coding(Work.ENCODE, part.charges(total.numel())):
            payload = part.encode_sum(total, self.worker.workers, into=self._sums[self.worker.rank])
        self.worker.announce(payload)
        return payload

    def _part(self, chunk: slice) -> TerngradCodec:
        part = self._codec.part(chunk.start, chunk.stop)
        assert isinstance(part, TerngradCodec)  # of its own kind
        return part


@ALGORITHMS.register("terngrad")
class Terngrad(Centralized):
    """x <- x - rate * direction(S/n sum over workers of k_i), k_i the digits of g_i clipped at 2.5 sigma per layer.

    S, by layer, is the largest of the workers' own scales, so that the sum has 2n + 1 levels and is not coded again.
    State: exchange buffers. Bytes per worker and step: 4 L (n-1) + (n-1)/n (1.6 + ceil(log2(2n + 1))) N / 8, and
    headers.
    """

    name = "terngrad"

    def create_aggregation(self, options: Any) -> Aggregation:
        """The one there is; ValueError for another codec, or buckets that chunks would cut through."""
        del options
        codec = self.worker.codec
        if not isinstance(codec, TerngradCodec):
            raise ValueError(
                f"algorithm terngrad: codec is {codec.name}, must be terngrad; set codec: terngrad, or use allreduce"
            )
        if isinstance(codec.options.bucket, int):
            raise ValueError(
                f"algorithm terngrad: the codec's option bucket is {codec.options.bucket}, but scales are shared for "
                "layer, column or vector; set one of them"
            )
        return TernaryMean(self.worker, self.coder, codec)
