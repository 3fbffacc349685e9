"""One of the two runs that are compared, and what the two differ in beside their cells."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from reports.provenance import run_name
from reports.quantities import printable

LIBRARIES = ("mpich", "mpi4py", "torch", "numpy", "pyroute2", "mininet")  # on which times may depend


@dataclass(frozen=True, kw_only=True)
class Side:
    """A run: how it is called here, a row for each cell, and its provenance."""

    name: str  # as the user gave it
    table: pd.DataFrame
    provenance: Mapping[str, Any]

    @property
    def line(self) -> str:
        """Its name, the run's own, the commits and the dates of its sessions."""
        sessions = _sessions(self)
        commits = _distinct(f"{commit} with changes" if dirty else commit for commit, dirty in map(_commit, sessions))
        dates = _distinct(str(session.get("date") or "")[:10] for session in sessions)
        words = [f"run {run_name(self.provenance)}", f"commit {commits or 'unknown'}", dates or "date unknown"]
        return printable(f"{self.name} ({', '.join(words)})")


def differences(a: Side, b: Side) -> list[str]:
    """A warning for whatever else differs, to which a change may be due; the program's commit is what is compared."""
    facts_a, facts_b = _facts(a), _facts(b)
    return [
        printable(
            f"{what} differs: {facts_a.get(what) or 'unknown'} in A, {facts_b.get(what) or 'unknown'} in B; "
            "a change may be due to that"
        )
        for what in dict.fromkeys([*facts_a, *facts_b])
        if facts_a.get(what) != facts_b.get(what)
    ]


def _facts(side: Side) -> dict[str, str]:
    """What times may depend on, in words, over the sessions in which cells were measured."""
    found: dict[str, list[str]] = {}
    for session in _sessions(side):
        for what, value in _facts_of(session):
            found.setdefault(what, []).append(value)
    return {what: text for what, values in found.items() if (text := _distinct(values))}  # empty: not recorded


def _facts_of(session: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    versions = _mapping(session.get("versions"))
    for library in LIBRARIES:
        yield f"version of {library}", str(versions.get(library) or "")
    for lab, facts in _mapping(session.get("labs")).items():
        told = _mapping(facts)
        yield f"kernel of lab {lab}", _words(told, "kernel", "kernel_build")
        yield f"MPI of lab {lab}", " ".join(_words(told, "mpi").split())
        for name, value in _mapping(told.get("sysctls")).items():
            yield f"{name} of lab {lab}", str(value)
        if lab == "host":  # in virtual time the machine does not matter
            yield "machine", _words(_mapping(session.get("machine")), "cpu", "cores", "kernel")


def _sessions(side: Side) -> list[Mapping[str, Any]]:
    """Those under which its cells were measured; the newest where the table does not say."""
    every = side.provenance.get("sessions")
    known = [_mapping(session) for session in every] if isinstance(every, Sequence) else []
    numbers = side.table["session"].dropna() if "session" in side.table else pd.Series(dtype=float)
    used = [known[int(number)] for number in sorted(set(numbers)) if 0 <= number < len(known)]
    return used or known[-1:] or [side.provenance]


def _commit(session: Mapping[str, Any]) -> tuple[str, bool]:
    return str(session.get("git_commit") or "unknown")[:12], bool(session.get("git_dirty"))


def _words(values: Mapping[str, Any], *keys: str) -> str:
    return ", ".join(str(values[key]) for key in keys if values.get(key))


def _distinct(values: Iterator[str] | Sequence[str]) -> str:
    return " and ".join(dict.fromkeys(value for value in values if value))


def _mapping(value: Any) -> Mapping[str, Any]:
    """The value where it is a mapping: a provenance may have been written by any version."""
    return value if isinstance(value, Mapping) else {}
