"""Which cells are meant: as the command line's `--only KEY=VALUE` says it, or as a mapping."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Only = Mapping[str, Any] | Sequence[str]


def filters(only: Only) -> tuple[str, ...]:
    """`KEY=VALUE` of each; several values of one key are alternatives. A list of texts is taken as it is."""
    if isinstance(only, str):
        return (only,)
    if not isinstance(only, Mapping):
        return tuple(only)
    return tuple(f"{key}={value}" for key, values in only.items() for value in _values(values))


def _values(values: Any) -> Sequence[Any]:
    return values if isinstance(values, (list, tuple)) else (values,)
