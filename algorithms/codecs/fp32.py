"""fp32: the float32 values themselves, little-endian, without a header."""

from __future__ import annotations

import torch
from torch import Tensor

from algorithms.algorithm import Bytes
from algorithms.codecs.codec import CODECS, Codec, PayloadError, bytes_of, flat_float32, float32_of
from algorithms.finite import require_finite


@CODECS.register("fp32")
class Fp32(Codec):
    """32 bits per component, exact, zero-copy: the payload is a view of the vector.

    Bytes: 4 N. No header, so that the exchange moves what an uncompressed implementation moves.
    """

    name = "fp32"
    exact = True

    def encode(self, vector: Tensor, generator: torch.Generator, into: Bytes | None = None) -> Bytes:
        """A view of `vector`, or of a copy where it is not contiguous."""
        del generator, into  # nothing is random, nothing is copied
        flat = flat_float32(vector)
        require_finite(flat)
        return bytes_of(flat)

    def decode(self, payload: Bytes, out: Tensor) -> None:
        """Copy the values into `out`."""
        if payload.numel() != 4 * out.numel():
            raise PayloadError(
                f"fp32 payload is {payload.numel()} bytes, must be {4 * out.numel()} for {out.numel()} "
                "components; sender and receiver must use the same codec, options and model"
            )
        out.copy_(float32_of(payload))

    def payload_bytes(self, count: int) -> int:
        """4 bytes per component."""
        return 4 * count

    def noise_bound(self, count: int) -> float:
        """Exact: none."""
        del count
        return 0.0
