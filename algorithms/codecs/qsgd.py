"""QSGD: stochastic quantization to s levels of a norm, per bucket (Alistarh et al. 2017, section 3.1)."""

from __future__ import annotations

import math
import struct
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor

from algorithms.algorithm import Bytes
from algorithms.codecs.codec import (
    CODECS,
    Codec,
    PayloadError,
    Scratch,
    flat_float32,
    float32_of,
    put,
    require_payload,
    room_for,
)
from algorithms.codecs.packing import pack, packed_bytes, padded, unpack
from algorithms.codecs.rounding import stochastic_round_
from algorithms.finite import require_finite
from algorithms.options import Options

HEADER = struct.Struct("<4sBBBxII")  # magic, version, bits, norm, count, bucket
MAGIC = b"GWQS"
VERSION = 1
NORMS = ("max", "l2")
FLOAT32_MAX = torch.finfo(torch.float32).max


class QsgdOptions(Options):
    """Defaults: Tang 2018's 8 bits; max norm in buckets of 512, for the reasons given at each."""

    bits: Annotated[int, Field(ge=2, le=8)] = 8
    """Bits per component: one sign and s = 2^(bits-1) - 1 levels."""
    norm: Literal["max", "l2"] = "max"
    """What is divided into s levels. The maximum is never above the l2 norm: its steps are never coarser.

    With Gaussian values and 512 to a bucket alpha is 0.01 against 0.07, and DCD-PSGD on a ring of 8
    admits 0.05.
    """
    bucket: Annotated[int, Field(ge=1, le=2**32 - 1)] | Literal["vector"] = 512
    """Components that share a norm; `vector`: all.

    512 is among QSGD's own choices: the norms add 0.8 % at 8 bits, and a layer of large values does not
    coarsen the steps of the others.
    """


@CODECS.register("qsgd")
class Qsgd(Codec):
    """Q(v_i) = norm * k_i / s, k_i stochastically rounded from s v_i / norm, so that E Q(v) = v.

    Payload: 16 bytes of header, a float32 norm per bucket, then k_i in two's complement, `bits` each, packed:
    16 + 4 ceil(N / bucket) + ceil(N bits / 8) bytes. A zero bucket decodes to zeros. Unbiased within 2^-17 of
    a level; the component whose magnitude is a max-norm bucket's norm is exact.
    """

    name = "qsgd"
    Options = QsgdOptions

    def __init__(self, options: QsgdOptions) -> None:
        super().__init__(options)
        self.bits = options.bits
        self.levels = 2 ** (options.bits - 1) - 1
        self._norm = options.norm
        self._scratch = Scratch()

    def encode(self, vector: Tensor, generator: torch.Generator, into: Bytes | None = None) -> Bytes:
        """Header, norms and packed levels of `vector`."""
        flat = flat_float32(vector)
        count = flat.numel()
        payload = room_for(self.payload_bytes(count), into, flat.device)
        put(self._header(count), payload[: HEADER.size])
        if count == 0:
            return payload
        rows = self._rows(flat)
        norms = _bucket_norms(rows, flat, self._norm)
        codes = self._codes(rows, norms, count, generator)
        start = self._codes_start(count)
        payload[HEADER.size : start].copy_(norms.view(torch.uint8))
        payload[start:].copy_(pack(codes, self.bits, count))
        return payload

    def decode(self, payload: Bytes, out: Tensor) -> None:
        """Norm times level over s, bucket by bucket."""
        count = out.numel()
        require_payload(self.name, payload, self.payload_bytes(count), HEADER, self._header(count))
        if count == 0:
            return
        start = self._codes_start(count)
        norms = float32_of(payload[HEADER.size : start])
        if not bool(((norms >= 0) & (norms <= FLOAT32_MAX)).all()):
            raise PayloadError("qsgd payload has a norm that is negative or not finite; it was damaged on its way")
        bucket, buckets = self._shape(count)
        whole = buckets * bucket == count
        target = out if whole else self._scratch.take("rows", buckets * bucket, torch.float32, out.device)
        target[:count].copy_(unpack(payload[start:], self.bits, count))
        target[:count].div_(self.levels)  # divided first: a norm near the smallest float must not vanish
        target.view(buckets, bucket).mul_(norms.unsqueeze(1))  # [buckets, bucket] * [buckets, 1]
        if not whole:
            out.copy_(target[:count])

    def payload_bytes(self, count: int) -> int:
        """16 + 4 ceil(N / bucket) + ceil(N bits / 8)."""
        return self._codes_start(count) + packed_bytes(count, self.bits)

    def noise_bound(self, count: int) -> float:
        """sqrt(min(d / 4 s^2, sqrt(d) / s)), d components to a bucket.

        QSGD's lemma 3.1, with 1/4 for the variance of the worst fraction. It holds for the maximum
        norm too, which is at most the l2 norm.
        """
        d = self._shape(count)[0]
        return math.sqrt(min(d / (4 * self.levels**2), math.sqrt(d) / self.levels))

    def _shape(self, count: int) -> tuple[int, int]:
        """Components to a bucket, and buckets, of a vector of `count`."""
        bucket = self.options.bucket
        size = max(1, count if bucket == "vector" else min(bucket, count))
        return size, -(-count // size)

    def _codes_start(self, count: int) -> int:
        return HEADER.size + 4 * self._shape(count)[1]

    def _header(self, count: int) -> bytes:
        bucket = self._shape(count)[0]
        return HEADER.pack(MAGIC, VERSION, self.bits, NORMS.index(self._norm), count, bucket)

    def _rows(self, flat: Tensor) -> Tensor:
        """A working copy of `flat`, shaped [buckets, bucket], the last bucket filled up with zeros."""
        bucket, buckets = self._shape(flat.numel())
        rows = self._scratch.take("rows", buckets * bucket, torch.float32, flat.device)
        rows[: flat.numel()].copy_(flat)
        rows[flat.numel() :].zero_()
        return rows.view(buckets, bucket)

    def _codes(self, rows: Tensor, norms: Tensor, count: int, generator: torch.Generator) -> Tensor:
        """int8 levels, `padded(count)` of them; `rows` is used up."""
        divisors = torch.where(norms == 0, 1.0, norms).unsqueeze(1)
        # Divided, not multiplied by s / norm, which overflows for the smallest norms; |quotient| <= 1.
        stochastic_round_(rows.div_(divisors).mul_(self.levels), generator, self._scratch)
        codes = self._scratch.take("codes", padded(count), torch.int8, rows.device)
        codes[:count].copy_(rows.view(-1)[:count])
        codes[count:].zero_()
        return codes


def _bucket_norms(rows: Tensor, flat: Tensor, norm: str) -> Tensor:
    """A float32 norm per row of `rows` [buckets, bucket], at least its largest magnitude; NonFiniteError.

    The l2 norm in float32 may overflow or vanish for finite values: any value in [maximum, largest float] is
    a valid norm (quantization stays unbiased), so it is brought into that range.
    """
    largest = torch.maximum(rows.amax(dim=1), rows.amin(dim=1).neg_())
    if not bool(torch.isfinite(largest).all()):
        require_finite(flat)  # names the component
    if norm == "max":
        return largest
    return torch.maximum(torch.linalg.vector_norm(rows, dim=1).clamp_(max=FLOAT32_MAX), largest)
