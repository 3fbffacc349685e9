"""A step's time line: what the meter counts, laid out as slices one after the other.

A worker computes at once and sleeps later for what is due (testbed/workers/meter.py), so a piece of work has no place
of its own on the clock. It gets one: where it would have begun if all sleep that was due before it had been slept by
then. The pieces before a communication so fill the time up to the end of the sleep.
"""

from __future__ import annotations

import dataclasses

from testbed.workers.protocol import LIBRARY_ALLREDUCE, SEND, WAIT, Slice

JOINED_WITHIN_S = 1e-6  # pieces of one part with less between them (readings of the clock) are one slice

Messages = tuple[tuple[int, int], ...]  # peer, bytes


class TimeLine:
    """The slices of one step that begins at `begin_s`, in order."""

    def __init__(self, begin_s: float) -> None:
        self.slices: list[Slice] = []
        self._end_s = begin_s  # of the last slice

    def work(self, part: str, duration_s: float, begin_s: float | None = None) -> None:
        """Add work, at `begin_s` or right after the last slice."""
        if duration_s == 0:
            return
        begin_s = self._end_s if begin_s is None else max(begin_s, self._end_s)
        if self.slices and self.slices[-1].name == part and begin_s - self._end_s < JOINED_WITHIN_S:
            self._lengthen(-1, duration_s)
        else:
            self._add(Slice(part, begin_s, duration_s))

    def overslept(self, part: str, extra_s: float, woken_s: float) -> None:
        """Count as `part` what a sleep that ended at `woken_s` took longer than it was due; shorter, if negative."""
        if extra_s > 0:
            self.work(part, extra_s, woken_s - extra_s)
        else:
            self._lengthen(max(index for index, one in enumerate(self.slices) if one.name == part), extra_s)

    def communicated(self, begin_s: float, end_s: float, sent_s: float | None) -> None:
        """Add a communication whose sends were complete at `sent_s`, or None where the MPI library did all of it."""
        if sent_s is None:
            self._add(Slice(LIBRARY_ALLREDUCE, begin_s, end_s - begin_s))
        else:
            self._add(Slice(SEND, begin_s, sent_s - begin_s))
            self._add(Slice(WAIT, sent_s, end_s - sent_s))

    def explain(self, sends: Messages, receives: Messages) -> None:
        """Say what the last communication sent and waited for."""
        send, wait = self.slices[-2:]
        self.slices[-2:] = dataclasses.replace(send, messages=sends), dataclasses.replace(wait, messages=receives)

    def _add(self, one: Slice) -> None:
        self.slices.append(one)
        self._end_s = one.start_s + one.duration_s

    def _lengthen(self, index: int, by_s: float) -> None:
        old = self.slices[index]
        self.slices[index] = dataclasses.replace(old, duration_s=old.duration_s + by_s)
        self._end_s = self.slices[-1].start_s + self.slices[-1].duration_s
