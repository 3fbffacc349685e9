"""A device on which nothing takes time: what remains of a step is its communication."""

from __future__ import annotations

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


INSTANT = InstantProfile(
    schema=1,
    device="instant",
    kind="none",
    description="No device: compute, codecs and copies take no time, to measure communication alone.",
    sources={},
    compute={},
    codecs={},
    reduce=_FREE,
    apply=_FREE,
    staging_copy=_FREE,
)
