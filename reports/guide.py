"""Which algorithm for which network, as Markdown: tables and sentences made of a run's table alone."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import pandas as pd

from reports.figures.fastest import Winner, winner
from reports.pages.quality import TRAINING_PAGE as QUALITY
from reports.provenance import page_line
from reports.quantities import bandwidth_text, latency_text, ratio_text
from reports.systems import System
from reports.view import Network, View, views
from testbed.errors import UserError

EXACT: Final = "fp32"
GAIN_THAT_MATTERS: Final = 1.1  # times allreduce's epoch: below it, other reasons than the network decide
_QUALITY_COLUMNS: Final = (0, 2, 4, 6, 7)  # system, bits counted, bytes, metric, metric less allreduce's
_SPECIAL: Final = re.compile(r"([\\`*_\[\]<>|#&])")


def guide(table: pd.DataFrame, provenance: Mapping[str, Any]) -> str:
    """A section for each setting of the run: the fastest system by network, and what that comes to.

    UserError where nothing was measured, or nothing to compare with.
    """
    shown = [view for view in views(table) if view.measured and len(view.systems) > 1]
    if not shown:
        raise UserError("the run has no two systems that were measured in one setting: a guide compares systems")
    parts = [_origin(table, provenance), *(part for view in shown for part in _section(view))]
    return "\n\n".join(parts) + "\n"


def quality(table: pd.DataFrame, provenance: Mapping[str, Any]) -> str:
    """What every system of a training reaches beside allreduce; UserError for a training of few systems."""
    content = QUALITY.build(table)
    if content is None:
        raise UserError("the training has too few systems, or no allreduce with fp32, to say what each costs")
    (first, *_), grid = content.notes, content.grids[0]
    rows = [[row[column] for column in _QUALITY_COLUMNS] for row in (grid.header, *grid.rows)]
    return "\n\n".join([_plain(first), _table(rows[0], rows[1:]), f"Made of: {_plain(page_line(provenance))}."]) + "\n"


def _origin(table: pd.DataFrame, provenance: Mapping[str, Any]) -> str:
    counts = table["status"].value_counts().to_dict()
    unfaithful = int((table["faithful"].eq(False) & table["status"].eq("ok")).sum())
    kernels = {str(facts.get("kernel")) for facts in provenance.get("labs", {}).values() if facts.get("kernel")}
    told = [f"{count} {status}" for status, count in sorted(counts.items(), key=lambda item: item[0] != "ok")]
    where = f", lab {provenance.get('lab')} on Linux {'/'.join(sorted(kernels))}" if kernels else ""
    return (
        f"Made of: {_plain(page_line(provenance))}{_plain(where)}. "
        f"{len(table)} cells: {', '.join(told)}, of which {unfaithful} unfaithful."
    )


def _section(view: View) -> Iterator[str]:
    yield f"### {_plain(view.name[:1].upper() + view.name[1:])}"
    yield (
        f"{_plain('; '.join(view.origin))}. Fastest on each network, its speed-up over {_baseline(view)}, "
        "its 95 % interval where two digits tell, and those that were not told from it:"
    )
    yield _by_network(view)
    yield "\n".join(f"* {sentence}" for sentence in _sentences(view))
    exact = replace(view, points={s: points for s, points in view.points.items() if s.codec == EXACT})
    if 1 < len(exact.systems) < len(view.systems):
        yield f"The same without coded messages, of the systems with {EXACT} alone:"
        yield _by_network(exact)


def _baseline(view: View) -> str:
    return _plain(view.baseline.label) if view.baseline else "nothing, as allreduce fp32 was not measured"


def _by_network(view: View) -> str:
    header = ["bandwidth", *(latency_text(latency) for latency in view.latencies)]
    rows = [
        [bandwidth_text(rate), *(_cell(view, (rate, latency)) for latency in view.latencies)]
        for rate in view.bandwidths
    ]
    return _table(header, rows)


def _cell(view: View, network: Network) -> str:
    """The fastest in bold, its speed-up with the interval, and those that may be as fast."""
    won = winner(view, network)
    if won is None:
        return "not measured"
    if without := _without(view, network):
        return f"not judged: without {', '.join(_plain(system.label) for system in without)}"
    if not won.faithful:
        return "not judged: unfaithful"
    ties = f", or {', '.join(_plain(system.label) for system in won.ties)}" if won.ties else ""
    return f"**{_plain(won.system.label)}**{_speedup(view, won, network)}{ties}"


def _without(view: View, network: Network) -> list[System]:
    """The systems that have no result there, of which any might be the fastest."""
    return [system for system in view.systems if (point := view.point(system, network)) is None or point.failed]


def _judged(view: View) -> dict[Network, Winner]:
    """The fastest by network, where all systems were measured and the network was what was asked for."""
    found = {network: winner(view, network) for network in _networks(view) if not _without(view, network)}
    return {network: won for network, won in found.items() if won is not None and won.faithful}


def _speedup(view: View, won: Winner, network: Network) -> str:
    """The factor, and its interval where that can be told from it in two digits."""
    if math.isnan(won.speedup) or won.system == view.baseline:
        return ""
    interval = view.speedup(won.system, network)
    value, low, high = map(ratio_text, (interval.value, interval.low, interval.high))
    return f" {value}" if low == high else f" {value} ({low} to {high})"


def _sentences(view: View) -> Iterator[str]:
    """Of each system where it is fastest, then where none gains much."""
    judged = _judged(view)
    for system in view.systems:
        first = [network for network, won in judged.items() if won.system == system]
        tied = [network for network, won in judged.items() if system in won.ties]
        if first or tied:
            yield _where(view, system, first, tied, len(judged))
    if view.baseline is not None:
        yield _where_it_matters_little(view, judged)


def _where(view: View, system: System, first: Sequence[Network], tied: Sequence[Network], count: int) -> str:
    gains = [gain for network in (*first, *tied) if not math.isnan(gain := view.speedup(system, network).value)]
    name = _plain(system.label)
    told = f"{name} is fastest on {len(first)} of {count} networks"
    told += f", and not told from the fastest on {len(tied)} more" if tied else ""
    if not gains or system == view.baseline:
        return f"{told}."
    low, high = ratio_text(min(gains)), ratio_text(max(gains))
    span = low if low == high else f"{low} to {high}"
    return f"{told}; it is then {span} as fast as {_baseline(view)}."


def _where_it_matters_little(view: View, judged: Mapping[Network, Winner]) -> str:
    """By latency, the bandwidth from which on the fastest gains less than a tenth."""
    places = []
    for latency in view.latencies:
        enough = None
        for rate in reversed(view.bandwidths):
            won = judged.get((rate, latency))
            if won is None or math.isnan(won.speedup) or won.speedup >= GAIN_THAT_MATTERS:
                break
            enough = rate
        if enough is not None:
            places.append(f"from {bandwidth_text(enough)} on at {latency_text(latency)}")
    least = f"less than {GAIN_THAT_MATTERS:g} times as fast as {_baseline(view)}"
    if not places:
        return f"At no latency is there a bandwidth from which on the fastest is {least}."
    return f"The network hardly matters, as the fastest is {least}, {'; '.join(places)}."


def _networks(view: View) -> list[Network]:
    return [(rate, latency) for latency in view.latencies for rate in view.bandwidths]


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _plain(text: str) -> str:
    """Text that Markdown shows as it is, whatever is in it."""
    return _SPECIAL.sub(r"\\\1", text)
