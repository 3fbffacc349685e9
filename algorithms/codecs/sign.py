"""sign: the signs, and the mean magnitude of each bucket (Karimireddy et al. 2019, arXiv:1901.09847; CHOCO-SGD)."""

from __future__ import annotations

import math
import struct

import torch
from torch import Tensor

from algorithms.algorithm import Bytes
from algorithms.codecs.buckets import Bucket, BucketedCodec, are_scales
from algorithms.codecs.codec import CODECS, PayloadError, assembled, flat_float32, float32_of, require_payload
from algorithms.codecs.packing import pack_flags, packed_bytes, unpack_flags
from algorithms.options import Options

HEADER = struct.Struct("<4sB3xII")  # magic, version, count, bucket
MAGIC = b"GWSG"
VERSION = 1


class SignOptions(Options):
    """Error-feedback SGD scales layer by layer."""

    bucket: Bucket = "layer"
    """Components that share a magnitude."""


@CODECS.register("sign")
class Sign(BucketedCodec):
    """C(v_i) = sign(v_i) |v|_1 / d over buckets of d components. Biased: meant for error feedback.

    Payload: 16 bytes of header, a float32 magnitude per bucket, a bit per component (1: below zero):
    16 + 4 buckets + ceil(N / 8) bytes.
    """

    name = "sign"
    Options = SignOptions

    def encode(self, vector: Tensor, generator: torch.Generator, into: Bytes | None = None) -> Bytes:
        """Header, magnitudes and signs."""
        del generator  # nothing is random
        flat = flat_float32(vector)
        count = flat.numel()
        if count == 0:
            return assembled(self._header(0), (), into, flat.device)
        buckets = self.buckets(count)
        largest = buckets.magnitudes(flat)
        total = buckets.reduce(buckets.shares(flat, largest).abs_(), "sum")
        means = total.div_(buckets.sizes(flat.device)).clamp_(max=1).mul_(largest)
        return assembled(self._header(count), (means, pack_flags(flat < 0)), into, flat.device)

    def decode(self, payload: Bytes, out: Tensor) -> None:
        """The magnitude with the sign."""
        count = out.numel()
        require_payload(self.name, payload, self.payload_bytes(count), HEADER, self._header(count))
        if count == 0:
            return
        buckets = self.buckets(count)
        start = HEADER.size + 4 * buckets.count
        means = float32_of(payload[HEADER.size : start])
        if not are_scales(means):
            raise PayloadError("sign payload has a magnitude that none has; it was damaged on its way")
        out.copy_(unpack_flags(payload[start:], count)).mul_(-2).add_(1)
        buckets.multiply_(out, means)

    def payload_bytes(self, count: int) -> int:
        """16 + 4 buckets + ceil(N / 8)."""
        return HEADER.size + 4 * self.buckets(count).count + packed_bytes(count, 1)

    def noise_bound(self, count: int) -> float:
        """sqrt(1 - 1/d): |C(v) - v|^2 = |v|^2 - |v|_1^2 / d, and |v|_1 >= |v|."""
        return math.sqrt(1 - 1 / self.buckets(count).largest)

    def _header(self, count: int) -> bytes:
        return HEADER.pack(MAGIC, VERSION, count, self.buckets(count).key)
