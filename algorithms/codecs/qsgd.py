"""QSGD: stochastic quantization to s levels of a norm, per bucket (Alistarh et al. 2017, section 3.1)."""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from typing import Annotated, Any, Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor

from algorithms.algorithm import Bytes, Charge
from algorithms.codecs.buckets import FLOAT32_MAX, Bucket, BucketedCodec, Buckets, are_scales
from algorithms.codecs.codec import (
    CODECS,
    PayloadError,
    Scratch,
    assembled,
    damaged,
    flat_float32,
    float32_of,
    require_header,
    require_payload,
)
from algorithms.codecs.expectation import spread_of
from algorithms.codecs.levels import CODINGS, CodingError
from algorithms.codecs.rounding import LARGEST, stochastic_round_, stochastic_round_wide_
from algorithms.options import Options

HEADER = struct.Struct("<4sBBHII")  # magic, version, norm and coding, levels, count, bucket
MAGIC = b"GWQS"
VERSION = 2
NORMS = ("max", "l2")
FORMS = tuple((norm, coding) for norm in NORMS for coding in CODINGS)
MOST_LEVELS = 2**16 - 1
DEFAULT_BITS = 8  # Tang 2018's


class QsgdOptions(Options):
    """How fine the levels are (one of bits, levels, q), of what norm, and how they are written.

    Defaults: 8 bits; max norm in buckets of 512, for the reasons given at each.
    """

    bits: Annotated[int, Field(ge=2, le=16)] | None = None
    """Bits per component, one of them the sign: s = 2^(bits-1) - 1 levels. 8, if nothing says how fine they are."""
    levels: Annotated[int, Field(ge=1, le=MOST_LEVELS)] | None = None
    """s itself."""
    q: Annotated[float, Field(gt=0)] | None = None
    """The least s whose noise is alpha^2 <= q for certain: see `levels_for`. Files can say `theory`: what the
    algorithm's own asks for, a number by the time that it is here (`algorithms.theory`)."""
    norm: Literal["max", "l2"] = "max"
    """What is divided into s levels. The maximum is never above the l2 norm: its steps are never coarser.

    With Gaussian values and 512 to a bucket alpha is 0.01 against 0.07, and DCD-PSGD on a ring of 8
    admits 0.05.
    """
    bucket: Bucket = 512
    """Components that share a norm.

    512 is among QSGD's own choices: the norms add 0.8 % at 8 bits, and a layer of large values does not
    coarsen the steps of the others.
    """
    coding: Literal["fixed", "fitted", "elias"] = "fixed"
    """fixed: 1 + ceil(log2(s + 1)) bits, a size that does not depend on the data, which rings and trees need.

    fitted: as many as the largest level needs. elias: QSGD's own, short for what is frequent.
    """

    @model_validator(mode="before")
    @classmethod
    def _fineness(cls, values: Any) -> Any:
        given = [name for name in ("bits", "levels", "q") if values.get(name) is not None]
        if len(given) > 1:
            raise ValueError(f"options {' and '.join(given)} both say how fine the levels are; leave all but one out")
        return values if given else {**values, "bits": DEFAULT_BITS}


@CODECS.register("qsgd")
class Qsgd(BucketedCodec):
    """Q(v_i) = norm * k_i / s, k_i stochastically rounded from s v_i / norm, so that E Q(v) = v.

    Payload: 16 bytes of header, a float32 norm per bucket, then the k_i. With b = 1 + ceil(log2(s + 1)) bits:
    16 + 4 ceil(N / bucket) + ceil(N b / 8) bytes; other codings are in `levels`. A zero bucket decodes to zeros.
    Unbiased within 2^-17 of a level; the component whose magnitude is a max-norm bucket's norm is exact.
    """

    name = "qsgd"
    Options = QsgdOptions
    priced = {"qsgd": {}, "qsgd-elias": {"q": 1.0, "norm": "l2", "bucket": "vector", "coding": "elias"}}  # noqa: RUF012

    def __init__(self, options: QsgdOptions) -> None:
        super().__init__(options)
        self.levels = options.levels or 2 ** ((options.bits or 1) - 1) - 1  # s; 0 where q says it: see `levels_of`
        self._norm = options.norm
        self._coding = CODINGS[options.coding]
        self._scratch = Scratch()

    def levels_of(self, count: int) -> int:
        """s for a vector of `count` components; by `q` it is that of the largest bucket."""
        if self.levels:
            return self.levels
        levels = levels_for(self.options.q, self.buckets(count).largest)
        if levels > MOST_LEVELS:
            raise ValueError(
                f"codec qsgd: option q {self.options.q:g} takes {levels} levels with {self.buckets(count).largest} "
                f"components to a bucket, must be {MOST_LEVELS} at most; raise q or take smaller buckets"
            )
        return levels

    def encode(self, vector: Tensor, generator: torch.Generator, into: Bytes | None = None) -> Bytes:
        """Header, norms and coded levels of `vector`."""
        flat = flat_float32(vector)
        count = flat.numel()
        if count == 0:
            return assembled(self._header(0), (), into, flat.device)
        buckets, s = self.buckets(count), self.levels_of(count)
        norms = _norms(buckets, flat, self._norm)
        levels = self._levels(flat, buckets, norms, s, generator)
        return assembled(self._header(count), (norms, self._coding.encode(levels, s)), into, flat.device)

    def decode(self, payload: Bytes, out: Tensor) -> None:
        """Norm times level over s, bucket by bucket."""
        count = out.numel()
        header = self._header(count)
        if self._coding.fixed or count == 0:
            require_payload(self.name, payload, self.max_bytes(count), HEADER, header)
        if count == 0:
            return
        buckets, s = self.buckets(count), self.levels_of(count)
        body, norms_bytes = require_header(self.name, payload, HEADER, header), 4 * buckets.count
        try:
            levels = self._coding.decode(body[norms_bytes:], s, count)
        except CodingError as error:
            raise damaged(self.name, payload.numel(), str(error)) from None
        norms = float32_of(body[:norms_bytes])
        if not are_scales(norms):
            raise PayloadError("qsgd payload has a norm that is negative or not finite; it was damaged on its way")
        out.copy_(levels).div_(s)  # divided first: a norm near the smallest float must not vanish
        buckets.multiply_(out, norms)

    def payload_bytes(self, count: int) -> int:
        """16 + 4 ceil(N / bucket) + ceil(N b / 8); of a coding that depends on the data, for Gaussian components."""
        if self._coding.fixed:
            return self.max_bytes(count)
        spread = spread_of(self.levels_of(count), self._norm, self.buckets(count).largest)
        return self._start(count) + round(self._coding.mean_bytes(self.levels_of(count), count, spread))

    def max_bytes(self, count: int) -> int:
        """The coding's most."""
        return self._start(count) + self._coding.max_bytes(self.levels_of(count), count)

    def noise_bound(self, count: int) -> float:
        """sqrt(min(d / 4 s^2, sqrt(d) / s)), d components to a bucket.

        QSGD's lemma 3.1, with 1/4 for the variance of the worst fraction. It holds for the maximum
        norm too, which is at most the l2 norm.
        """
        return math.sqrt(noise(self.levels_of(count), self.buckets(count).largest))

    def charges(self, count: int) -> Sequence[Charge]:
        """Elias's code takes more time than bits of equal width."""
        return (Charge("qsgd-elias" if self.options.coding == "elias" else "qsgd", count),)

    def _start(self, count: int) -> int:
        return HEADER.size + 4 * self.buckets(count).count

    def _header(self, count: int) -> bytes:
        form = FORMS.index((self._norm, self.options.coding))
        return HEADER.pack(MAGIC, VERSION, form, self.levels_of(count), count, self.buckets(count).key)

    def _levels(self, flat: Tensor, buckets: Buckets, norms: Tensor, s: int, generator: torch.Generator) -> Tensor:
        """float32 integers."""
        scaled = self._scratch.take("scaled", flat.numel(), torch.float32, flat.device).copy_(flat)
        # Divided, not multiplied by s / norm, which overflows for the smallest norms; |quotient| <= 1.
        buckets.divide_(scaled, torch.where(norms == 0, 1.0, norms)).mul_(s)
        rounded = stochastic_round_ if s <= LARGEST else stochastic_round_wide_
        return rounded(scaled, generator, self._scratch)


def noise(levels: int, components: int) -> float:
    """q = min(d / 4 s^2, sqrt(d) / s): Jiang & Agrawal 2018, section 3.3."""
    return min(components / (4 * levels**2), math.sqrt(components) / levels)


def levels_for(q: float, components: int) -> int:
    """The least s whose noise is at most `q`.

    Jiang & Agrawal 2018, sections 3.3 and 5: for q = 1, which shared data need, sqrt(N) / 2; for 1/m, with partitioned
    data and m samples on a worker, sqrt(m N) / 2; for 1 / (m p), with p steps to an exchange (PQASGD), sqrt(m p N) / 2.
    """
    exact = min(math.sqrt(components / (4 * q)), math.sqrt(components) / q)
    return max(1, math.ceil(exact * (1 - 1e-9)))  # a whole number is not rounded up for its last bit


def _norms(buckets: Buckets, flat: Tensor, norm: str) -> Tensor:
    """A float32 norm per bucket, at least its largest magnitude; NonFiniteError.

    The l2 norm in float32 may overflow or vanish for finite values: any value in [maximum, largest float] is
    a valid norm (quantization stays unbiased), so it is brought into that range.
    """
    largest = buckets.magnitudes(flat)
    if norm == "max":
        return largest
    return torch.maximum(buckets.l2(flat).clamp_(max=FLOAT32_MAX), largest)
