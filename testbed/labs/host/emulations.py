"""The ways in which the host lab shapes links: by netem where the kernel has it, else by NFQUEUE."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

from shaping.bucket_shaper import BucketShaper
from shaping.plan import SUPER_PACKET_IN_REAL_TIME_S
from shaping.probe import HOST, HOST_QUEUED
from shaping.shaper import Shaper
from testbed.session.emulation import Emulation


def _netem(native: Path) -> Emulation:
    del native  # the kernel does all of it
    return Emulation(
        shaper=lambda _, pids: Shaper(pids), tolerance=HOST, real_time=True, super_packet_s=SUPER_PACKET_IN_REAL_TIME_S
    )


def _nfqueue(native: Path) -> Emulation:
    return Emulation(
        shaper=lambda wiring, pids: BucketShaper(wiring, pids, native / "delay_line"),
        tolerance=HOST_QUEUED,
        real_time=True,
        super_packet_s=SUPER_PACKET_IN_REAL_TIME_S,
    )


# By the backend's name; `native` is the folder of the compiled helpers.
EMULATIONS: Mapping[str, Callable[[Path], Emulation]] = MappingProxyType({"netem": _netem, "nfqueue": _nfqueue})
