"""Where a step's time goes: compute, encode, communicate, decode, apply.

In the virtual lab computing takes no time, so what a device would take is charged by sleeping. In the host lab work
takes what it takes, and where another device is emulated a worker sleeps for the rest. One rule serves both: sleep for
what the profile says, less what has passed. Work that takes longer than the profile says has overrun: this machine is
too slow to be that device.

Nobody can tell when a worker computes, only when it sends, waits or is done. So the sleep that is due for several
pieces of work is slept at once, before the next communication or at the step's end: it ends at the same moment, and a
worker that is woken for every piece finds the processor's caches cold each time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from algorithms.algorithm import Work
from testbed.workers.protocol import PARTS

PART_OF = {Work.ENCODE: "encode", Work.DECODE: "decode", Work.REDUCE: "decode", Work.APPLY: "apply"}


class StepMeter:
    """Adds up one step's parts, in seconds, and overruns since it was made.

    `cost` is a profile's seconds for (work, fp32 bytes, codec). `synchronise` is called before the clock is read, and
    returns when the device has done what it was told. `can_overrun`: whether work that takes longer is an overrun. It
    is not in virtual time, where what passes during work is other workers' reading of the clock, 256 ns each.
    """

    def __init__(
        self,
        cost: Callable[[Work, int, str], float],
        *,
        synchronise: Callable[[], None] = lambda: None,
        can_overrun: bool = False,
    ) -> None:
        self._cost = cost
        self._synchronise = synchronise
        self._can_overrun = can_overrun
        self.overruns = 0  # calls
        self.overrun_s = 0.0
        self._due_s = 0.0
        self._due_part = ""  # the last that sleep is due for
        self.parts_s = dict.fromkeys(PARTS, 0.0)

    def new_step(self) -> None:
        """Set all parts to zero."""
        for part in PARTS:
            self.parts_s[part] = 0.0

    @contextmanager
    def lasting(self, part: str, least_s: float) -> Iterator[None]:
        """Count the enclosed time as `part`, `least_s` at least; what is left of that is due."""
        self._synchronise()
        start = time.monotonic()
        yield
        self._synchronise()
        self.charge(part, least_s, time.monotonic() - start)

    def charge(self, part: str, least_s: float, passed_s: float = 0.0) -> None:
        """Count `least_s` as `part`, of which `passed_s` have passed."""
        self.parts_s[part] += max(least_s, passed_s)
        if least_s > passed_s:
            self._due_s += least_s - passed_s
            self._due_part = part
        elif self._can_overrun and passed_s > least_s:
            self.overruns += 1
            self.overrun_s += passed_s - least_s

    @contextmanager
    def communicating(self) -> Iterator[None]:
        """Sleep what is due, then count the enclosed time as communication."""
        self.settle()
        self._synchronise()
        start = time.monotonic()
        yield
        self.parts_s["communicate"] += time.monotonic() - start

    def settle(self) -> None:
        """Sleep what is due. What the sleep takes longer belongs to the work it was for last."""
        if self._due_s == 0:
            return
        start, due_s, self._due_s = time.monotonic(), self._due_s, 0.0
        time.sleep(due_s)
        self.parts_s[self._due_part] += time.monotonic() - start - due_s

    def work(self, kind: Work, size_bytes: int, codec: str = "") -> AbstractContextManager[None]:
        """Enclose work on `size_bytes` of fp32 values; see algorithms.algorithm.Meter."""
        return self.lasting(PART_OF[kind], self._cost(kind, size_bytes, codec))
