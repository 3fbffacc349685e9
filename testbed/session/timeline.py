"""What the session does at given times while it waits for its workers."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Sequence

Act = Callable[[], None]

# A poll ends late, by a millisecond or, where it is longer, by a thousandth of its time; a sleep does not.
CLOSE_S = 5e-3
POLL_SHARE = 0.995


class Timeline:
    """Acts at times after a beginning, done in the thread that waits; those that nobody waits for are never done."""

    def __init__(self, acts: Sequence[tuple[float, Act]] = ()) -> None:
        """`acts`: seconds after the beginning, not falling, and what is to be done then."""
        self._left = deque(acts)
        self._begun_s = math.nan

    def begin(self) -> None:
        """Count from now on."""
        self._begun_s = time.monotonic()

    @property
    def left_s(self) -> float:
        """Seconds until the next act, negative where it is late; infinite where none is left."""
        return self._begun_s + self._left[0][0] - time.monotonic() if self._left else math.inf

    @property
    def patience_s(self) -> float:
        """Seconds that may be spent in a poll before `act` is due to be called again."""
        return max(0.0, POLL_SHARE * self.left_s - CLOSE_S / 2)

    def act(self) -> None:
        """Do all that is due, and what is about to be, on time."""
        while (left_s := self.left_s) <= CLOSE_S:
            time.sleep(max(0.0, left_s))
            self._left.popleft()[1]()
