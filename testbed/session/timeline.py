"""What the session does at given times while it waits for its workers."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Sequence

Act = Callable[[], None]


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

    def act(self) -> None:
        """Do all that is due."""
        while self.left_s <= 0:
            self._left.popleft()[1]()
