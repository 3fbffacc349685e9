"""A worker's codec in use: seeded per step, metered, and with errors that say whose vector it was."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from algorithms.algorithm import Bytes, Work, Worker
from algorithms.finite import NonFiniteError, UnsendableError, require_finite
from algorithms.randomness import seed_of

FLOAT_BYTES = 4


class Coder:
    """Encodes and decodes for one worker."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._generator = torch.Generator(worker.device)
        self._step = 0

    def begin(self, t: int, gradient: Tensor) -> None:
        """Start step t: reseed, and refuse a gradient that is not finite."""
        self._step = t
        self._generator.manual_seed(seed_of(self._worker.seed, self._worker.rank, t))
        self.require_finite(gradient, "gradient")

    def require_finite(self, vector: Tensor, what: str) -> None:
        """Refuse a vector that is not finite, by name."""
        try:
            require_finite(vector)
        except NonFiniteError as error:
            raise self._named(error, what, error.index) from None

    def encode(self, vector: Tensor, what: str, offset: int = 0, into: Bytes | None = None) -> Bytes:
        """The payload of `vector`, which is `what` (for errors) from component `offset` on.

        It is announced as the next exchange's.
        """
        codec = self._worker.codec.part(offset, offset + vector.numel())
        with self._worker.meter.coding(Work.ENCODE, codec.charges(vector.numel())):
            try:
                payload = codec.encode(vector, self._generator, into)
            except NonFiniteError as error:
                raise self._named(error, what, offset + error.index) from None
        self._worker.announce(payload)
        return payload

    def encode_parts(self, vector: Tensor, what: str, parts: Sequence[slice], into: Sequence[Bytes]) -> list[Bytes]:
        """The payload of each part of `vector`, in a room of its own."""
        return [self.encode(vector[part], what, part.start, into=room) for part, room in zip(parts, into, strict=True)]

    def decode(self, payload: Bytes, out: Tensor, offset: int = 0) -> None:
        """Decode `payload` into `out`, which is from component `offset` on."""
        codec = self._worker.codec.part(offset, offset + out.numel())
        with self._worker.meter.coding(Work.DECODE, codec.charges(out.numel())):
            codec.decode(payload, out)

    def _named(self, error: NonFiniteError, what: str, index: int) -> UnsendableError:
        layer = next((layer.name for layer in self._worker.layers if layer.start <= index < layer.stop), None)
        place = f"tensor {layer}, component {index}" if layer else f"component {index}"
        return UnsendableError(
            f"{what} of worker {self._worker.rank} at step {self._step} is {error.value} in {place}, but {error.reason}"
        )
