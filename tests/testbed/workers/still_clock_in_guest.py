"""What reading the clocks takes in virtual time; run inside a guest by tests/testbed/labs/virtual."""

from __future__ import annotations

import json
import time
from collections.abc import Callable

from testbed.workers.still_clock import StillClock

READINGS = 1000


def passed_ns(read: Callable[[], float], still: StillClock) -> int:
    """Virtual time that a thousand readings take."""
    before_s = still.now_s()
    for _ in range(READINGS):
        read()
    return round((still.now_s() - before_s) * 1e9)


def main() -> None:
    """Print both clocks' cost."""
    still = StillClock()
    print(json.dumps({"still": passed_ns(still.now_s, still), "monotonic": passed_ns(time.monotonic, still)}))


if __name__ == "__main__":
    main()
