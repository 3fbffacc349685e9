"""grid: stochastic rounding to a fixed step, whatever the magnitude (Tang 2018, section 4.2)."""

from __future__ import annotations

import math
import struct
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor

from algorithms.algorithm import Bytes
from algorithms.codecs.codec import CODECS, Codec, Scratch, flat_float32, put, require_payload, room_for
from algorithms.codecs.packing import pack, packed_bytes, padded, unpack
from algorithms.codecs.rounding import stochastic_round_
from algorithms.finite import require_finite
from algorithms.options import Options

HEADER = struct.Struct("<4sBBxxIf")  # magic, version, bits, count, step
MAGIC = b"GWGR"
VERSION = 1


class GridOptions(Options):
    """The grid: multiples k * step with |k| <= 2^(bits-1) - 1."""

    bits: Annotated[int, Field(ge=2, le=8)] = 8
    step: Annotated[float, Field(ge=2.0**-64, le=2.0**64)] = 2.0**-6
    """1/64 spans +-1.98 at 8 bits, room for normalization scales, which are about 1."""
    overflow: Literal["refuse", "saturate"] = "refuse"
    """What happens to a value beyond the grid. Saturating biases it, so that it must be asked for."""


@CODECS.register("grid")
class Grid(Codec):
    """C(v_i) = step * k_i, k_i stochastically rounded from v_i / step; E|C(v) - v|^2 <= N step^2 / 4.

    Tang 2018's Assumption 2 (noise bounded whatever z), where QSGD's noise grows with |z|. Payload: 16 bytes
    of header, then k_i in two's complement, packed: 16 + ceil(N bits / 8) bytes.
    """

    name = "grid"
    Options = GridOptions

    def __init__(self, options: GridOptions) -> None:
        super().__init__(options)
        self.bits = options.bits
        self.step = torch.tensor(options.step, dtype=torch.float32, device="cpu").item()  # as the header carries it
        self._largest = 2 ** (options.bits - 1) - 1
        self._scratch = Scratch()

    def encode(self, vector: Tensor, generator: torch.Generator, into: Bytes | None = None) -> Bytes:
        """Header and packed grid indices of `vector`; ValueError for a value beyond the grid."""
        flat = flat_float32(vector)
        require_finite(flat)
        count = flat.numel()
        payload = room_for(self.payload_bytes(count), into, flat.device)
        put(self._header(count), payload[: HEADER.size])
        if count:
            codes = self._codes(self._scaled(flat), generator)
            payload[HEADER.size :].copy_(pack(codes, self.bits, count))
        return payload

    def decode(self, payload: Bytes, out: Tensor) -> None:
        """Index times step."""
        count = out.numel()
        require_payload(self.name, payload, self.payload_bytes(count), HEADER, self._header(count))
        out.copy_(unpack(payload[HEADER.size :], self.bits, count)).mul_(self.step)

    def payload_bytes(self, count: int) -> int:
        """16 + ceil(N bits / 8)."""
        return HEADER.size + packed_bytes(count, self.bits)

    def noise_bound(self, count: int) -> float:
        """Unbounded: the noise does not shrink with the vector."""
        del count
        return math.inf

    def _header(self, count: int) -> bytes:
        return HEADER.pack(MAGIC, VERSION, self.bits, count, self.step)

    def _scaled(self, flat: Tensor) -> Tensor:
        """`flat` in steps, within the grid; float32 scratch."""
        scaled = self._scratch.take("scaled", flat.numel(), torch.float32, flat.device)
        torch.div(flat, self.step, out=scaled)
        if self.options.overflow == "saturate":
            return scaled.clamp_(-self._largest, self._largest)
        low, high = (bound.item() for bound in torch.aminmax(scaled))
        if max(-low, high) > self._largest:
            raise ValueError(
                f"codec grid: a value is {max(-low, high) * self.step:.4g} in magnitude, must be at most "
                f"{self._largest * self.step:.4g} with {self.bits} bits of step {self.step:g}; "
                "raise step or bits"
            )
        return scaled

    def _codes(self, scaled: Tensor, generator: torch.Generator) -> Tensor:
        """int8 indices, `padded(count)` of them; `scaled` is used up."""
        count = scaled.numel()
        codes = self._scratch.take("codes", padded(count), torch.int8, scaled.device)
        codes[:count].copy_(stochastic_round_(scaled, generator, self._scratch))
        codes[count:].zero_()
        return codes
