"""A device profile: seconds of every kind of work, each number with where it comes from.

step of compute   seconds_per_step + seconds_per_sample * batch size, times a drawn factor of mean 1
any other call    seconds_per_call + seconds_per_byte * bytes of fp32 values (before encoding, after decoding)
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Annotated, ClassVar, Literal, TypeVar

from pydantic import ConfigDict, Field, TypeAdapter

from algorithms.algorithm import Work
from testbed.errors import UserError

_STRICT = ConfigDict(extra="forbid", allow_inf_nan=False)
_Derivation = Annotated[str, Field(min_length=1)]


@dataclass(frozen=True, kw_only=True)
class Quantity:
    """A number and where it comes from: a measurement, or an arithmetic from cited figures."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    value: Annotated[float, Field(ge=0, strict=True)]
    derivation: _Derivation


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Seconds of one call, by the bytes of fp32 values that it works on."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    seconds_per_call: Quantity
    seconds_per_byte: Quantity

    def seconds(self, size_bytes: int) -> float:
        """Seconds of one call on `size_bytes`."""
        return self.seconds_per_call.value + self.seconds_per_byte.value * size_bytes


@dataclass(frozen=True, kw_only=True)
class Lognormal:
    """Spread of an estimate: step times are lognormal, standard deviation over mean as stated."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    coefficient_of_variation: Quantity


@dataclass(frozen=True, kw_only=True)
class Sampled:
    """Spread of a measurement: the measured steps themselves, each divided by their mean."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    relative: Annotated[tuple[Annotated[float, Field(gt=0)], ...], Field(min_length=2)]
    derivation: _Derivation


@dataclass(frozen=True, kw_only=True)
class Compute:
    """Gradient of one batch of one workload: forward and backward pass."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    seconds_per_step: Quantity
    seconds_per_sample: Quantity
    spread: Lognormal | Sampled

    def mean_s(self, batch_size: int) -> float:
        """Mean seconds of a step with `batch_size` samples."""
        return self.seconds_per_step.value + self.seconds_per_sample.value * batch_size


@dataclass(frozen=True, kw_only=True)
class CodecCost:
    """Both ways of one codec, on the device; copies to and from the host are apart (`staging_copy`)."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    encode: Cost
    decode: Cost


@dataclass(frozen=True, kw_only=True)
class Profile:
    """One device. `load` in testbed.profiles reads it from a file and validates it."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    schema: Literal[1]
    device: Annotated[str, Field(min_length=1)]
    kind: Literal["measured", "estimated", "none", "real"]  # none: of no device; real: not emulated, but used
    description: str
    sources: Mapping[str, str]  # short name -> what is cited, for the derivations
    compute: Annotated[Mapping[str, Compute], Field(min_length=1)]  # by workload
    codecs: Annotated[Mapping[str, CodecCost], Field(min_length=1)]
    reduce: Cost
    apply: Cost
    staging_copy: Cost  # between device and host, by bytes copied

    @cached_property
    def digest(self) -> str:
        """Sixteen hexadecimal digits of all that the profile says."""
        canonical = json.dumps(asdict(self), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()[:16]

    def compute_of(self, workload: str) -> Compute:
        """The workload's compute; UserError if the profile lacks it."""
        return _entry(self, "workload", workload, self.compute)

    def codec_of(self, codec: str) -> CodecCost:
        """The codec's costs; UserError if the profile lacks it."""
        return _entry(self, "codec", codec, self.codecs)

    def mean_compute_s(self, workload: str, batch_size: int) -> float:
        """Mean seconds of one step's gradient."""
        return self.compute_of(workload).mean_s(batch_size)

    def work_s(self, work: Work, size_bytes: int, codec: str = "") -> float:
        """Seconds of one call on `size_bytes` of fp32 values; UserError for a codec that is not here."""
        match work:
            case Work.ENCODE:
                return self.codec_of(codec).encode.seconds(size_bytes)
            case Work.DECODE:
                return self.codec_of(codec).decode.seconds(size_bytes)
            case Work.REDUCE:
                return self.reduce.seconds(size_bytes)
            case Work.APPLY:
                return self.apply.seconds(size_bytes)

    def staging_copy_s(self, size_bytes: int) -> float:
        """Seconds to copy `size_bytes` between the device and the memory that MPI sends from."""
        return self.staging_copy.seconds(size_bytes)


_Entry = TypeVar("_Entry")

ADAPTER: TypeAdapter[Profile] = TypeAdapter(Profile)


def _entry(profile: Profile, kind: str, name: str, entries: Mapping[str, _Entry]) -> _Entry:
    if name not in entries:
        raise UserError(
            f"device {profile.device} has no {kind} {name!r}, only {', '.join(sorted(entries))}: "
            f"add it to the profile, or measure this machine with `gradwire profile`"
        )
    return entries[name]
