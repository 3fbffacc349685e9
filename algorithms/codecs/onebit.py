"""onebit: signs, with the mean of each bucket's positive and of its negative components (Seide et al. 2014)."""

from __future__ import annotations

import math
import struct

import torch
from torch import Tensor

from algorithms.algorithm import Bytes
from algorithms.codecs.buckets import Bucket, BucketedCodec, Buckets, are_scales
from algorithms.codecs.codec import CODECS, PayloadError, assembled, flat_float32, float32_of, require_payload
from algorithms.codecs.packing import pack_flags, packed_bytes, unpack_flags
from algorithms.options import Options

HEADER = struct.Struct("<4sB3xII")  # magic, version, count, bucket
MAGIC = b"GW1B"
VERSION = 1
MEANS_BYTES = 8  # two of a bucket


class OnebitOptions(Options):
    """Seide et al. 2014: the columns of a weight matrix."""

    bucket: Bucket = "column"
    """Components that share the two means."""


@CODECS.register("onebit")
class Onebit(BucketedCodec):
    """C(v_i) = the mean of the bucket's components that have v_i's sign, 0 among the positive. Biased: error feedback.

    Payload: 16 bytes of header, the float32 means of all buckets' negative components, those of the positive, a bit
    per component (1: below zero): 16 + 8 buckets + ceil(N / 8) bytes.
    """

    name = "onebit"
    Options = OnebitOptions

    def encode(self, vector: Tensor, generator: torch.Generator, into: Bytes | None = None) -> Bytes:
        """Header, means and signs."""
        del generator  # nothing is random
        flat = flat_float32(vector)
        count = flat.numel()
        if count == 0:
            return assembled(self._header(0), (), into, flat.device)
        means = _means(self.buckets(count), flat)
        return assembled(self._header(count), (*means, pack_flags(flat < 0)), into, flat.device)

    def decode(self, payload: Bytes, out: Tensor) -> None:
        """The mean of the sign."""
        count = out.numel()
        require_payload(self.name, payload, self.payload_bytes(count), HEADER, self._header(count))
        if count == 0:
            return
        buckets = self.buckets(count)
        start = HEADER.size + MEANS_BYTES * buckets.count
        negative, positive = float32_of(payload[HEADER.size : start]).view(2, -1)  # [sign, bucket]
        if not (are_scales(-negative) and are_scales(positive)):
            raise PayloadError("onebit payload has a mean that none has; it was damaged on its way")
        below = unpack_flags(payload[start:], count)
        torch.where(below, buckets.spread(negative), buckets.spread(positive), out=out)

    def payload_bytes(self, count: int) -> int:
        """16 + 8 buckets + ceil(N / 8)."""
        return HEADER.size + MEANS_BYTES * self.buckets(count).count + packed_bytes(count, 1)

    def noise_bound(self, count: int) -> float:
        """sqrt(1 - 1/d): no two values of their signs are nearer to v than the means, so not those of `sign`."""
        return math.sqrt(1 - 1 / self.buckets(count).largest)

    def _header(self, count: int) -> bytes:
        return HEADER.pack(MAGIC, VERSION, count, self.buckets(count).key)


def _means(buckets: Buckets, flat: Tensor) -> tuple[Tensor, Tensor]:
    """Of the negative and of the other components of every bucket; 0 of none. NonFiniteError."""
    largest = buckets.magnitudes(flat)
    shares = buckets.shares(flat, largest)
    negatives, sizes = buckets.reduce((flat < 0).to(torch.float32), "sum"), buckets.sizes(flat.device)
    negative = buckets.reduce(shares.clamp(max=0), "sum") / negatives.clamp(min=1)
    positive = buckets.reduce(shares.clamp(min=0), "sum") / (sizes - negatives).clamp(min=1)
    return negative.clamp_(min=-1).mul_(largest), positive.clamp_(max=1).mul_(largest)
