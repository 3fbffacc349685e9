"""Where a step's time goes: compute, encode, communicate, decode, apply.

In the virtual lab computing takes no time, so what a device would take is charged by sleeping, call by call, where it
happens. In the host lab work takes what it takes, and where another device is emulated a worker sleeps for the rest.
One rule serves both: sleep for what the profile says, less what has passed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from algorithms.algorithm import Work
from testbed.workers.protocol import PARTS

PART_OF = {Work.ENCODE: "encode", Work.DECODE: "decode", Work.REDUCE: "decode", Work.APPLY: "apply"}


class StepMeter:
    """Adds up one step's parts, in seconds. `cost` is a profile's seconds for (work, fp32 bytes, codec)."""

    def __init__(self, cost: Callable[[Work, int, str], float]) -> None:
        self._cost = cost
        self.parts_s = dict.fromkeys(PARTS, 0.0)

    def new_step(self) -> None:
        """Set all parts to zero."""
        for part in PARTS:
            self.parts_s[part] = 0.0

    @contextmanager
    def lasting(self, part: str, least_s: float = 0.0) -> Iterator[None]:
        """Count the enclosed time as `part`, and make it last `least_s` at least."""
        start = time.monotonic()
        yield
        left = least_s - (time.monotonic() - start)
        if left > 0:
            time.sleep(left)
        self.parts_s[part] += time.monotonic() - start

    def work(self, kind: Work, size_bytes: int, codec: str = "") -> AbstractContextManager[None]:
        """Enclose work on `size_bytes` of fp32 values; see algorithms.algorithm.Meter."""
        return self.lasting(PART_OF[kind], self._cost(kind, size_bytes, codec))
