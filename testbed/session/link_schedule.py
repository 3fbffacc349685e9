"""A cell's schedule of changes, applied to the links once in every repetition."""

from __future__ import annotations

import functools
import time
from typing import Any

from shaping.schedule import Moment, Scheduled, redrawn
from testbed.session.emulation import LinkShaper
from testbed.session.timeline import Timeline


class LinkSchedule:
    """Tells a shaper what links are to do, and remembers when it did.

    A repetition is `set_up`, then whatever may come before its steps, then the steps while `timeline` runs, `restore`,
    and `record`. Whoever makes one applies the network's own plan again when the cell is over.
    """

    def __init__(self, shaper: LinkShaper, plans: Scheduled, drain_within_s: float) -> None:
        self._shaper = shaper
        self._plans = plans
        self._drain_within_s = drain_within_s
        self._repetition = 0
        self._applied_s: dict[int, float] = {}  # by the number of the moment
        self._dropped = 0

    def set_up(self, repetition: int) -> None:
        """Wait until links are empty, and set all as they are before any change; draws are the repetition's own."""
        self._repetition = repetition
        self._shaper.drain(self._drain_within_s)
        still = redrawn(self._plans.still, repetition)
        self._shaper.apply(still)
        self._shaper.read_back(still)

    def timeline(self) -> Timeline:
        """The changes of one repetition."""
        self._applied_s.clear()
        self._dropped = self._shaper.report()["dropped"]
        return Timeline(
            [(one.at_s, functools.partial(self._apply, number, one)) for number, one in enumerate(self._plans.moments)]
        )

    def _apply(self, number: int, moment: Moment) -> None:
        plan = redrawn(moment.plan, self._repetition)
        self._shaper.change(plan)
        self._applied_s[number] = time.monotonic()
        self._shaper.read_back(plan)

    def restore(self) -> None:
        """Set links as they were before any change, at once: what workers still have to send again gets through."""
        still = redrawn(self._plans.still, self._repetition)
        self._shaper.change(still)
        self._shaper.read_back(still)

    def record(self, start_s: float) -> dict[str, Any]:
        """When each change was applied, in seconds after `start_s`; None where the repetition had ended before.

        And how many packets the links lost, as they were told.
        """
        changes = [
            {
                "change": moment.change,
                "ends": moment.ends,
                "at_s": moment.at_s,
                "applied_s": self._applied_s[number] - start_s if number in self._applied_s else None,
            }
            for number, moment in enumerate(self._plans.moments)
        ]
        return {"changes": changes, "dropped": self._shaper.report()["dropped"] - self._dropped}
