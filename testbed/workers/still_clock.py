"""The monotonic clock, read without moving it.

In the virtual lab each reading of the clock takes 256 ns of virtual time: with one more in each of the dozens of
exchanges of a step, the step would be longer because it is looked at. What is left of a timer is told with interrupts
off, while the guest's clock stands still. On any other kernel this is a clock like the other.
"""

from __future__ import annotations

import ctypes
import os
import time
import weakref

_CLOCK_MONOTONIC = 1
_TFD_CLOEXEC = 0o2000000
_TFD_TIMER_ABSTIME = 1
_SECOND_NS = 10**9
_AHEAD_NS = 10**18  # thirty years: the timer is read, and never to end

_libc = ctypes.CDLL(None, use_errno=True)


class _Time(ctypes.Structure):
    _fields_ = (("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long))


class _Timer(ctypes.Structure):
    _fields_ = (("interval", _Time), ("value", _Time))


class StillClock:
    """Reads what `time.monotonic` reads; holds a descriptor while it lives. OSError where there is no timerfd."""

    def __init__(self) -> None:
        # Python 3.13 has these calls in `os`.
        self._descriptor = _checked(_libc.timerfd_create(_CLOCK_MONOTONIC, _TFD_CLOEXEC))
        weakref.finalize(self, os.close, self._descriptor)
        self._end_ns = time.monotonic_ns() + _AHEAD_NS
        self._left = _Timer(value=_Time(*divmod(self._end_ns, _SECOND_NS)))
        _checked(_libc.timerfd_settime(self._descriptor, _TFD_TIMER_ABSTIME, ctypes.byref(self._left), None))

    def now_s(self) -> float:
        """Seconds, as `time.monotonic` has them."""
        _libc.timerfd_gettime(self._descriptor, ctypes.byref(self._left))
        left = self._left.value
        now_ns: int = self._end_ns - left.seconds * _SECOND_NS - left.nanoseconds
        return now_ns / _SECOND_NS


def _checked(result: int) -> int:
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return result
