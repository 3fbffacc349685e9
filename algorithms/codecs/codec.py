"""The one interface of a codec: `encode` a vector into bytes, `decode` them."""

from __future__ import annotations

import struct
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor

from algorithms.algorithm import Bytes
from algorithms.options import Options, parse_options
from algorithms.registration import Registry


class PayloadError(ValueError):
    """A payload that this codec did not write for a vector of this length: foreign or truncated."""


class Codec(ABC):
    """A vector of float32 to bytes and back, on the vector's device.

    Scratch space is kept between calls: one codec per worker.
    """

    name: ClassVar[str]  # as registered; a device profile has seconds per byte under it
    Options: ClassVar[type[Options]] = Options
    exact: ClassVar[bool] = False  # decode(encode(x)) is x, bit for bit

    def __init__(self, options: Any) -> None:
        """`options` is an instance of this class's `Options`."""
        self.options = options

    @abstractmethod
    def encode(self, vector: Tensor, generator: torch.Generator, into: Bytes | None = None) -> Bytes:
        """The payload of float32 `vector` (any shape and strides; read in row-major order).

        It lies in `into` (at least `max_bytes` long) where that is given, except that an exact codec may
        return a view of `vector` itself. `generator` lives on the vector's device. Raises NonFiniteError.
        """

    @abstractmethod
    def decode(self, payload: Bytes, out: Tensor) -> None:
        """Fill float32 `out`, flat and contiguous, from the payload of a vector as long; or PayloadError."""

    @abstractmethod
    def payload_bytes(self, count: int) -> int:
        """The length of the payload of `count` components; where it depends on the data, its expectation."""

    def max_bytes(self, count: int) -> int:
        """The most that a payload of `count` components can take: the room that a receiver provides."""
        return self.payload_bytes(count)

    @abstractmethod
    def noise_bound(self, count: int) -> float:
        """An upper bound of Tang 2018's alpha for `count` components.

        alpha^2 = sup over z of E|C(z) - z|^2 / |z|^2.
        """


class Scratch:
    """Named working vectors that grow to the largest size asked for and are then reused."""

    def __init__(self) -> None:
        self._vectors: dict[tuple[str, torch.device], Tensor] = {}

    def take(self, name: str, count: int, dtype: torch.dtype, device: torch.device) -> Tensor:
        """A contiguous vector of `count` elements with arbitrary content."""
        vector = self._vectors.get((name, device))
        if vector is None or vector.numel() < count:
            vector = self._vectors[name, device] = torch.empty(count, dtype=dtype, device=device)
        return vector[:count]


CODECS: Registry[type[Codec]] = Registry("codec", "algorithms.codecs")


def create_codec(name: str, options: Mapping[str, Any] | None = None) -> Codec:
    """The codec called `name`; ValueError for an unknown name or option."""
    kind = CODECS.find(name)
    return kind(parse_options(f"codec {name}", kind.Options, options or {}))


def flat_float32(vector: Tensor) -> Tensor:
    """`vector` as a contiguous flat tensor: a view where it is contiguous already."""
    if vector.dtype != torch.float32:
        raise TypeError(f"a codec encodes float32, got {vector.dtype}; convert the vector first")
    return vector.detach().reshape(-1)


def room_for(size_bytes: int, into: Bytes | None, device: torch.device) -> Bytes:
    """The first `size_bytes` of `into`, or new room on `device`."""
    if into is None:
        return torch.empty(size_bytes, dtype=torch.uint8, device=device)
    if into.numel() < size_bytes:
        raise ValueError(
            f"room for the payload is {into.numel()} bytes, must be {size_bytes}; provide max_bytes(count)"
        )
    return into[:size_bytes]


def put(content: bytes, room: Bytes) -> None:
    """Write a header into its room, of the same size."""
    room.copy_(torch.frombuffer(bytearray(content), dtype=torch.uint8))


def bytes_of(flat: Tensor) -> Bytes:
    """The bytes of a flat contiguous tensor, in place; an empty one may have any stride, and has none."""
    return flat.view(torch.uint8) if flat.numel() else torch.empty(0, dtype=torch.uint8, device=flat.device)


def float32_of(part: Bytes) -> Tensor:
    """The float32 values in a part of a payload: a view where they lie aligned, else a copy."""
    aligned = part.data_ptr() % 4 == 0 and part.storage_offset() % 4 == 0
    return (part if aligned else part.clone()).view(torch.float32)


def require_payload(name: str, payload: Bytes, size_bytes: int, layout: struct.Struct, header: bytes) -> None:
    """Raise PayloadError unless `payload` has this size and begins with this header, laid out as `layout`.

    The receiver's own codec and vector determine the header, so comparing it whole checks every field.
    """
    got = payload[: layout.size].cpu().numpy().tobytes()
    if got == header and payload.numel() == size_bytes:
        return
    fields = layout.unpack(got) if len(got) == layout.size else got
    raise PayloadError(
        f"{name} payload of {payload.numel()} bytes begins with {fields!r}, must be {size_bytes} bytes and "
        f"begin with {layout.unpack(header)}; sender and receiver must use the same codec, options and model"
    )
