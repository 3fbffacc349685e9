"""The one interface of a codec: `encode` a vector into bytes, `decode` them."""

from __future__ import annotations

import struct
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor

from algorithms.algorithm import Bytes, Charge, Layer
from algorithms.options import Options, parse_options
from algorithms.registration import Registry


class PayloadError(ValueError):
    """A payload that this codec did not write for a vector of this length: foreign or truncated."""


class Codec(ABC):
    """A vector of float32 to bytes and back, on the vector's device.

    Scratch space is kept between calls: one codec per worker.
    """

    name: ClassVar[str]  # as registered
    Options: ClassVar[type[Options]] = Options
    exact: ClassVar[bool] = False  # decode(encode(x)) is x, bit for bit
    # The names that it is charged under, which a device profile has costs for, each with the options it is measured
    # with; None: its own name, with the defaults.
    priced: ClassVar[Mapping[str, Mapping[str, Any]] | None] = None

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
        """The length of the payload of `count` components.

        Where it depends on the data, its expectation for independent Gaussian components.
        """

    def max_bytes(self, count: int) -> int:
        """The most that a payload of `count` components can take: the room that a receiver provides."""
        return self.payload_bytes(count)

    @abstractmethod
    def noise_bound(self, count: int) -> float:
        """An upper bound of Tang 2018's alpha for `count` components.

        alpha^2 = sup over z of E|C(z) - z|^2 / |z|^2, among the normal numbers of float32. Of a biased codec it is what
        error feedback asks to be below 1: a contraction.
        """

    def on(self, layers: Sequence[Layer]) -> Codec:
        """This codec for vectors that `layers` make up; itself, where layers make no difference to it."""
        del layers
        return self

    def part(self, start: int, stop: int) -> Codec:
        """The codec for components [start, stop) of such a vector."""
        del start, stop
        return self

    def charges(self, count: int) -> Sequence[Charge]:
        """What one call on `count` components is charged as."""
        return (Charge(self.name, count),)


class ScaledCodec(Codec):
    """A codec whose scales can be shared: the largest of all workers', so that the sum of their codes has few levels.

    An algorithm takes the maximum of all workers' `scales`, component by component, and gives it to `share`.
    """

    @abstractmethod
    def scales(self, vector: Tensor) -> Tensor:
        """The scales that `vector` would be coded with, float32, one for each bucket; NonFiniteError."""

    @abstractmethod
    def share(self, scales: Tensor | None, limits: Tensor | None = None) -> None:
        """Code with these from now on, in parts too; None: with every vector's own.

        `limits`: the own scales of the vector whose parts are coded, beyond which its values are clipped; None: each
        part's own.
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


CODECS: Registry[type[Codec]] = Registry("codec", "algorithms.codecs", group="gradwire.codecs", base=Codec)


def create_codec(name: str, options: Mapping[str, Any] | None = None) -> Codec:
    """The codec called `name`; ValueError for an unknown name or option."""
    kind = CODECS.find(name)
    return kind(parse_options(f"codec {name}", kind.Options, options or {}))


def priced_codecs() -> dict[str, Codec]:
    """A codec to measure for every name that codecs are charged under."""
    return {price: create_codec(name, options) for name in CODECS.names() for price, options in _prices(name).items()}


def _prices(name: str) -> Mapping[str, Mapping[str, Any]]:
    priced = CODECS.find(name).priced
    return {name: {}} if priced is None else priced


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


def assembled(header: bytes, parts: Sequence[Tensor], into: Bytes | None, device: torch.device) -> Bytes:
    """A payload of a header and the bytes of flat contiguous tensors, one behind the other."""
    pieces = [bytes_of(part) for part in parts]
    payload = room_for(len(header) + sum(map(len, pieces)), into, device)
    put(header, payload[: len(header)])
    start = len(header)
    for piece in pieces:
        payload[start : start + len(piece)].copy_(piece)
        start += len(piece)
    return payload


def bytes_of(flat: Tensor) -> Bytes:
    """The bytes of a flat contiguous tensor, in place; an empty one may have any stride, and has none."""
    return flat.view(torch.uint8) if flat.numel() else torch.empty(0, dtype=torch.uint8, device=flat.device)


def values_of(part: Bytes, dtype: torch.dtype) -> Tensor:
    """The values of `dtype` in a part of a payload: a view where they lie aligned, else a copy."""
    size = dtype.itemsize
    aligned = part.data_ptr() % size == 0 and part.storage_offset() % size == 0
    return (part if aligned else part.clone()).view(dtype)


def float32_of(part: Bytes) -> Tensor:
    """The float32 values in a part of a payload."""
    return values_of(part, torch.float32)


def require_payload(name: str, payload: Bytes, size_bytes: int, layout: struct.Struct, header: bytes) -> None:
    """Raise PayloadError unless `payload` has this size and begins with this header, laid out as `layout`.

    The receiver's own codec and vector determine the header, so comparing it whole checks every field.
    """
    got = _head(payload, layout)
    if got != header or payload.numel() != size_bytes:
        raise _foreign(name, payload, got, f"must be {size_bytes} bytes and begin with", layout, header)


def require_header(name: str, payload: Bytes, layout: struct.Struct, header: bytes) -> Bytes:
    """What follows the header in a payload whose size its data determine; PayloadError for another header."""
    got = _head(payload, layout)
    if got != header:
        raise _foreign(name, payload, got, "must begin with", layout, header)
    return payload[layout.size :]


def damaged(name: str, payload_bytes: int, reason: str) -> PayloadError:
    """The error of a payload whose header is right and whose body is not."""
    return PayloadError(
        f"{name} payload of {payload_bytes} bytes {reason}: it was cut or damaged; "
        "sender and receiver must use the same codec, options and model"
    )


def _head(payload: Bytes, layout: struct.Struct) -> bytes:
    return bytes(payload[: layout.size].cpu().numpy().tobytes())


def _foreign(name: str, payload: Bytes, got: bytes, rule: str, layout: struct.Struct, header: bytes) -> PayloadError:
    fields = layout.unpack(got) if len(got) == layout.size else got
    return PayloadError(
        f"{name} payload of {payload.numel()} bytes begins with {fields!r}, {rule} {layout.unpack(header)}; "
        "sender and receiver must use the same codec, options and model"
    )
