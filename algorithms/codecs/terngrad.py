"""terngrad: three levels of a scale per layer, after clipping (Wen et al. 2017, arXiv:1705.07878)."""

from __future__ import annotations

import math
import struct
from typing import Annotated

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from algorithms.algorithm import Bytes
from algorithms.codecs.buckets import Bucket, BucketedCodec, Buckets, are_scales
from algorithms.codecs.codec import (
    CODECS,
    PayloadError,
    ScaledCodec,
    Scratch,
    assembled,
    flat_float32,
    float32_of,
    require_payload,
)
from algorithms.codecs.packing import (
    pack_integers,
    pack_trits,
    packed_bytes,
    trit_bytes,
    unpack_integers,
    unpack_trits,
)
from algorithms.codecs.rounding import stochastic_round_
from algorithms.options import Options

HEADER = struct.Struct("<4sB3xII")  # magic, version, count, bucket
MAGIC = b"GWTG"
SUM_HEADER = struct.Struct("<4sBxHII")  # magic, version, workers, count, bucket
SUM_MAGIC = b"GWTS"
VERSION = 1
WRITTEN_BYTES = 3**5  # a byte of five digits is below this


class TerngradOptions(Options):
    """The paper's: layer by layer, clipped at 2.5 standard deviations."""

    clip: Annotated[float, Field(gt=0)] | None = 2.5
    """In standard deviations of the bucket, about zero; None: not at all, which alone is unbiased.

    About zero, where the paper's own code takes them about the mean: gradients' means are about zero, and a bucket of
    one component, or of equal ones, would be clipped to nothing.
    """
    bucket: Bucket = "layer"
    """Components that share a scale."""


@CODECS.register("terngrad")
class Terngrad(BucketedCodec, ScaledCodec):
    """Q(v_i) = S k_i, k_i in {-1, 0, 1}, k_i = sign(v_i) with probability |v_i| / S; v clipped at c = 2.5 sigma before.

    S = max |v|, clipped, of the bucket; shared, the largest of all workers', so that their sum has 2n + 1 levels.
    E Q(v) = the clipped v, within 2^-17 S.
    Payload: 16 bytes of header, a float32 scale per bucket, five digits to a byte: 16 + 4 buckets + ceil(N / 5) bytes.
    """

    name = "terngrad"
    Options = TerngradOptions

    def __init__(self, options: TerngradOptions) -> None:
        super().__init__(options)
        self._shared: Tensor | None = None
        self._limits: Tensor | None = None
        self._scratch = Scratch()

    def scales(self, vector: Tensor) -> Tensor:
        """The largest clipped magnitude of every bucket."""
        flat = flat_float32(vector)
        return _scales(self.buckets(flat.numel()), flat, self.options.clip)

    def share(self, scales: Tensor | None, limits: Tensor | None = None) -> None:
        """Scales at least as large as one's own; a value beyond them is clipped, or refused if none may be."""
        self._shared, self._limits = scales, limits

    def encode(self, vector: Tensor, generator: torch.Generator, into: Bytes | None = None) -> Bytes:
        """Header, scales and packed digits of `vector`."""
        flat = flat_float32(vector)
        count = flat.numel()
        if count == 0:
            return assembled(self._header(0), (), into, flat.device)
        buckets = self.buckets(count)
        own = _scales(buckets, flat, self.options.clip)
        scales = self._of_buckets(self._shared, "_shared")
        if scales is None:
            scales = limits = own
        else:
            self._require_fit(scales, own)
            own_limits = self._of_buckets(self._limits, "_limits")
            limits = torch.minimum(own if own_limits is None else own_limits, scales)
        digits = self._digits(flat, buckets, scales, limits, generator)
        return assembled(self._header(count), (scales, pack_trits(digits)), into, flat.device)

    def decode(self, payload: Bytes, out: Tensor) -> None:
        """Scale times digit."""
        scales = self.digits(payload, out)
        if out.numel():
            self.buckets(out.numel()).multiply_(out, scales)

    def digits(self, payload: Bytes, out: Tensor) -> Tensor:
        """Fill float32 `out` with the digits; returns the scales."""
        count = out.numel()
        require_payload(self.name, payload, self.payload_bytes(count), HEADER, self._header(count))
        if count == 0:
            return out
        start = HEADER.size + 4 * self.buckets(count).count
        scales, packed = float32_of(payload[HEADER.size : start]), payload[start:]
        if not are_scales(scales) or int(packed.max()) >= WRITTEN_BYTES:
            raise PayloadError("terngrad payload has a scale or digits that none has; it was damaged on its way")
        out.copy_(unpack_trits(packed, count))
        return scales

    def encode_sum(self, digits: Tensor, workers: int, into: Bytes | None = None) -> Bytes:
        """The sum of so many workers' float32 `digits`, -n to n, without the scales that all of them share."""
        header = self._sum_header(digits.numel(), workers)
        packed = pack_integers(digits, _sum_bits(workers)) if digits.numel() else digits
        return assembled(header, (packed,), into, digits.device)

    def decode_mean(self, payload: Bytes, workers: int, out: Tensor) -> None:
        """Scale times sum over n, with the scales that are shared."""
        count = out.numel()
        header = self._sum_header(count, workers)
        require_payload(self.name, payload, self.sum_bytes(count, workers), SUM_HEADER, header)
        if count == 0:
            return
        out.copy_(unpack_integers(payload[SUM_HEADER.size :], _sum_bits(workers), count))
        if float(out.abs().max()) > workers:
            raise PayloadError("terngrad payload of a sum has a digit that none has; it was damaged on its way")
        scales = self._of_buckets(self._shared, "_shared")
        if scales is None:
            raise ValueError("codec terngrad: a sum has no scales of its own, but none are shared; share them first")
        self.buckets(count).multiply_(out.div_(workers), scales)

    def sum_bytes(self, count: int, workers: int) -> int:
        """16 + ceil(N ceil(log2(2n + 1)) / 8)."""
        return SUM_HEADER.size + packed_bytes(count, _sum_bits(workers))

    def payload_bytes(self, count: int) -> int:
        """16 + 4 buckets + ceil(N / 5)."""
        return HEADER.size + 4 * self.buckets(count).count + trit_bytes(count)

    def noise_bound(self, count: int) -> float:
        """sqrt(v), v = (sqrt(d) - 1) / 2 unclipped; sqrt(1 + min(v, c^2 / 4)) clipped at c sigma. With its own scales.

        The variance is the sum of |v_i| (S - |v_i|), the worst a vector of one S and d - 1 others of S / (1 + sqrt(d));
        clipped, S is c sigma at most, and the square of what is cut off |v|^2.
        """
        variance = (math.sqrt(self.buckets(count).largest) - 1) / 2
        clip = self.options.clip
        return math.sqrt(variance if clip is None else 1 + min(variance, clip**2 / 4))

    def _of_buckets(self, own: Tensor | None, name: str) -> Tensor | None:
        """What is shared for the buckets here, which in a part are some of the whole vector's."""
        values = getattr(self._whole, name, None)
        if self._whole is None or values is None or self.span is None:
            return own
        bucket = self.options.bucket
        edges, here = self._whole.span.edges(bucket), self.span.edges(bucket)[:-1]  # type: ignore[union-attr]
        of_here: Tensor = values[(np.searchsorted(edges, here, side="right") - 1).tolist()]
        return of_here

    def _require_fit(self, scales: Tensor, own: Tensor) -> None:
        if scales.numel() != own.numel():
            raise ValueError(
                f"codec terngrad: {scales.numel()} scales are shared, must be one for each of {own.numel()} buckets"
            )
        if self.options.clip is None and bool((own > scales).any()):
            raise ValueError("codec terngrad: a shared scale is below a value, must be the largest of all workers'")

    def _digits(
        self, flat: Tensor, buckets: Buckets, scales: Tensor, limits: Tensor, generator: torch.Generator
    ) -> Tensor:
        """float32 -1, 0 or 1."""
        divisors = torch.where(scales == 0, 1.0, scales)
        scaled = self._scratch.take("scaled", flat.numel(), torch.float32, flat.device).copy_(flat)
        limit = buckets.spread(limits / divisors)
        buckets.divide_(scaled, divisors)
        torch.clamp(scaled, -limit, limit, out=scaled)
        return stochastic_round_(scaled, generator, self._scratch)

    def _header(self, count: int) -> bytes:
        return HEADER.pack(MAGIC, VERSION, count, self.buckets(count).key)

    def _sum_header(self, count: int, workers: int) -> bytes:
        return SUM_HEADER.pack(SUM_MAGIC, VERSION, workers, count, self.buckets(count).key)


def _sum_bits(workers: int) -> int:
    """ceil(log2(2n + 1)), the sign among them."""
    return workers.bit_length() + 1


def _scales(buckets: Buckets, flat: Tensor, clip: float | None) -> Tensor:
    """min(max |v|, clip sigma) of every bucket, sigma the root of the mean square; NonFiniteError."""
    largest = buckets.magnitudes(flat)
    if clip is None:
        return largest
    squares = buckets.shares(flat, largest).square_()
    sigma = buckets.reduce(squares, "sum").div_(buckets.sizes(flat.device)).sqrt_().mul_(largest)
    return torch.minimum(largest, sigma.mul_(clip))
