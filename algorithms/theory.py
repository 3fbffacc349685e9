"""`q: theory`: codes as fine as an algorithm's own theory asks for, found from what is trained."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from algorithms.algorithm import ALGORITHMS, AlgorithmOptions

THEORY: Final = "theory"


def resolved(
    codec_options: Mapping[str, Any], algorithm: str, options: AlgorithmOptions, samples: int | None
) -> dict[str, Any]:
    """A codec's options with a number in the place of each `q: theory`, those of codecs within it too.

    `samples`: m of a worker's batch of partitioned data; None where all workers draw from the same data. ValueError
    for an algorithm whose theory names no q.
    """

    def number(key: str, value: Any) -> Any:
        if isinstance(value, Mapping):
            return {name: number(name, inner) for name, inner in value.items()}
        return _q(algorithm, options, samples) if (key, value) == ("q", THEORY) else value

    return {key: number(key, value) for key, value in codec_options.items()}


def _q(algorithm: str, options: AlgorithmOptions, samples: int | None) -> float:
    q = ALGORITHMS.find(algorithm).theory_q(options, samples)
    if q is None:
        known = ", ".join(name for name in ALGORITHMS.names() if _has_theory(name))
        raise ValueError(
            f"codec: option q is {THEORY}, but algorithm {algorithm} has no theory that names one, as {known} have; "
            "write a number, or bits"
        )
    return q


def _has_theory(algorithm: str) -> bool:
    kind = ALGORITHMS.find(algorithm)
    return kind.theory_q(kind.Options(), None) is not None
