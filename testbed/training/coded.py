"""Counts what codecs make of a training's vectors, whatever else is done with it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager

from algorithms.algorithm import Bytes, Charge, Meter, Unmetered, Work, no_announcement
from algorithms.coder import FLOAT_BYTES


class Coded:
    """A meter in front of another: counts what was turned into how many bytes, of one worker or of several.

    Attributes:
        components: of the vectors that were encoded.
        size_bytes: of what was made of them.
    """

    def __init__(self, meter: Meter | None = None, announce: Callable[[Bytes], None] = no_announcement) -> None:
        self.components = 0
        self.size_bytes = 0
        self._meter = meter or Unmetered()
        self._announce = announce

    def work(self, kind: Work, size_bytes: int, codec: str = "") -> AbstractContextManager[None]:
        """Count the components of what is encoded."""
        self.components += size_bytes // FLOAT_BYTES if kind is Work.ENCODE else 0
        return self._meter.work(kind, size_bytes, codec)

    def coding(self, kind: Work, charges: Sequence[Charge]) -> AbstractContextManager[None]:
        """Count the components of what a codec encodes."""
        self.components += sum(charge.components for charge in charges) if kind is Work.ENCODE else 0
        return self._meter.coding(kind, charges)

    def announce(self, payload: Bytes) -> None:
        """Count the bytes of what was encoded."""
        self.size_bytes += payload.nbytes
        self._announce(payload)
