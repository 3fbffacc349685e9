from __future__ import annotations

import gc
import time
from pathlib import Path

from testbed.workers.still_clock import StillClock


def test_it_reads_what_the_monotonic_clock_reads() -> None:
    clock = StillClock()
    readings = [read() for _ in range(100) for read in (time.monotonic, clock.now_s)]
    assert readings == sorted(readings)


def test_its_descriptor_goes_with_it() -> None:
    def descriptors() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    gc.collect()
    before = descriptors()
    clock = StillClock()
    assert descriptors() == before + 1
    del clock
    assert descriptors() == before
