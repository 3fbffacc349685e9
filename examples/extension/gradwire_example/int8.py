"""int8: each value as a whole number of 127ths of the largest, rounded to nearest."""

import struct
from typing import ClassVar

import torch

from algorithms.algorithm import Charge
from algorithms.codecs.codec import Codec, assembled, flat_float32, float32_of, require_payload
from algorithms.finite import require_finite

HEADER = struct.Struct("<4sI")  # magic, count: a payload of another codec or length is refused
SCALE = slice(HEADER.size, HEADER.size + 4)
LEVELS = 127


class Int8(Codec):
    """C(v) = s/127 round(127 v / s), s = max |v|: 8 bits per component, biased. Bytes: 12 + N."""

    name = "int8"
    priced: ClassVar = {}  # `gradwire profile` need not measure it, as `charges` names another's cost

    def encode(self, vector, generator, into=None):
        """Header, scale, and a byte for each value."""
        del generator  # nothing is random
        flat = flat_float32(vector)
        require_finite(flat)
        scale = flat.abs().max() if flat.numel() else flat.new_zeros(())
        codes = (flat / scale * LEVELS if scale > 0 else flat).round().to(torch.int8)
        return assembled(HEADER.pack(b"INT8", flat.numel()), (scale.reshape(1), codes), into, flat.device)

    def decode(self, payload, out):
        """The values, each within half a step."""
        count = out.numel()
        require_payload(self.name, payload, self.payload_bytes(count), HEADER, HEADER.pack(b"INT8", count))
        out.copy_(payload[SCALE.stop :].view(torch.int8)).mul_(float32_of(payload[SCALE]) / LEVELS)

    def payload_bytes(self, count):
        """12 + N."""
        return SCALE.stop + count

    def noise_bound(self, count):
        """Half a step in every component, of a vector of which one is as large as the scale."""
        return count**0.5 / (2 * LEVELS)

    def charges(self, count):
        """A profile knows nothing of it: charged as qsgd, which also finds a scale, divides, rounds and packs."""
        return (Charge("qsgd", count),)
