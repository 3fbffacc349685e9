"""topk: the k components of the largest magnitude, with their places (Aji & Heafield 2017; Shi et al. 2019)."""

from __future__ import annotations

import math
import struct
from typing import Literal

import torch
from torch import Tensor

from algorithms.algorithm import Bytes
from algorithms.codecs.codec import CODECS, Codec, assembled, damaged, flat_float32, require_payload
from algorithms.codecs.sparse import (
    INDEX_FORMS,
    VALUE_FORMS,
    SparseOptions,
    index_bytes,
    largest_places,
    read_indices,
    read_values,
    value_bytes,
    write_indices,
    write_values,
)
from algorithms.finite import require_finite

HEADER = struct.Struct("<4sBBBxII")  # magic, version, form of indices, of values, count, k
MAGIC = b"GWTK"
VERSION = 1


class TopkOptions(SparseOptions):
    """The papers': 32-bit indices."""

    indices: Literal["int32", "elias-fano"] = "int32"
    """int32: 32 bits each. elias-fano: about 2 + log2(N / k), 12 at a density of 0.001."""


@CODECS.register("topk")
class Topk(Codec):
    """C(v) keeps the k largest |v_i| and sets the others to 0. Biased: meant for error feedback.

    Payload: 16 bytes of header, ascending indices, values: 16 + 4 k + 4 k bytes. Equal magnitudes at the limit are kept
    as torch.topk has it.
    """

    name = "topk"
    Options = TopkOptions

    def encode(self, vector: Tensor, generator: torch.Generator, into: Bytes | None = None) -> Bytes:
        """Header, indices and values."""
        del generator  # nothing is random
        flat = flat_float32(vector)
        require_finite(flat)
        count, options = flat.numel(), self.options
        indices = largest_places(flat, options.kept(self.name, count))
        parts = (
            write_indices(options.indices, indices, count) if count else flat,
            write_values(options.values, flat[indices], indices),
        )
        return assembled(self._header(count), parts, into, flat.device)

    def decode(self, payload: Bytes, out: Tensor) -> None:
        """The values in their places, zeros elsewhere."""
        count = out.numel()
        k = self.options.kept(self.name, count)
        require_payload(self.name, payload, self.payload_bytes(count), HEADER, self._header(count))
        if count == 0:
            return
        start = HEADER.size + index_bytes(self.options.indices, k, count)
        indices = read_indices(self.options.indices, payload[HEADER.size : start], k, count)
        values = read_values(self.options.values, payload[start:])
        if indices is None or values is None:
            raise damaged(self.name, payload.numel(), "has indices that do not ascend, or values that are not finite")
        out.zero_().index_copy_(0, indices, values)

    def payload_bytes(self, count: int) -> int:
        """16 + 4 k + 4 k, and less with elias-fano or fp16."""
        k = self.options.kept(self.name, count)
        return HEADER.size + index_bytes(self.options.indices, k, count) + value_bytes(self.options.values, k)

    def noise_bound(self, count: int) -> float:
        """sqrt(1 - k/N): what is left out is the smallest; 1 with fp16, in which the smallest values vanish."""
        if self.options.values == "fp16":
            return 1.0
        return math.sqrt(1 - self.options.kept(self.name, count) / count) if count else 0.0

    def _header(self, count: int) -> bytes:
        options = self.options
        forms = INDEX_FORMS.index(options.indices), VALUE_FORMS.index(options.values)
        return HEADER.pack(MAGIC, VERSION, *forms, count, options.kept(self.name, count))
