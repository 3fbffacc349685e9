"""Devices that take no time: one on which nothing does, and this machine's own, on which work takes what it takes."""

from __future__ import annotations

from typing import Literal

from algorithms.algorithm import Work
from testbed.profiles.profile import Compute, Cost, Lognormal, Profile, Quantity

_NOTHING = Quantity(value=0.0, derivation="by definition of this device")
_FREE = Cost(seconds_per_call=_NOTHING, seconds_per_byte=_NOTHING)
_FREE_COMPUTE = Compute(
    seconds_per_step=_NOTHING,
    seconds_per_sample=_NOTHING,
    spread=Lognormal(coefficient_of_variation=_NOTHING),
)


class InstantProfile(Profile):
    """Knows every workload and every codec, as they all cost the same."""

    def compute_of(self, workload: str) -> Compute:  # noqa: ARG002
        """Nothing, whatever the workload."""
        return _FREE_COMPUTE

    def work_s(self, work: Work, size_bytes: int, codec: str = "") -> float:  # noqa: ARG002
        """Nothing, whatever the work."""
        return 0.0


def _free(device: str, kind: Literal["none", "real"], description: str) -> InstantProfile:
    return InstantProfile(
        schema=1,
        device=device,
        kind=kind,
        description=description,
        sources={},
        compute={},
        codecs={},
        reduce=_FREE,
        apply=_FREE,
        staging_copy=_FREE,
    )


INSTANT = _free(
    "instant", "none", "No device: compute, codecs and copies take no time, to measure communication alone."
)


def own(device: str) -> Profile:
    """In the place of a profile where workers compute for real on `device`: nothing is to be slept."""
    return _free(device, "real", "This machine's own device, which took what it took.")
