"""What a run answers, in sentences: which system is the fastest on a network, by how much, and how sure that is."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from reports.figures.breakdown import corners
from reports.figures.fastest import Winner, winner
from reports.quantities import bandwidth_text, latency_text, ratio_text
from reports.systems import System
from reports.view import Network, View

MANY = 3  # what a sentence names; of more it has the number


def answers(view: View) -> list[str]:
    """Sentences about a view, the one that says most first: the clearest network, all of them, the other corners."""
    networks = [(b, latency) for latency in view.latencies for b in view.bandwidths]
    won = {network: found for network in networks if (found := winner(view, network)) is not None}
    if not won:
        return [f"On {view.name} no cell was measured, so that nothing can be said."]
    first = max(won, key=lambda network: _clarity(won[network]))
    rest = [network for network in corners(view) if network in won and network != first]
    overall = [_overall(view, list(won.values()))] if len(won) > 1 else []
    return [_sentence(view, first, won[first]), *overall, *(_sentence(view, n, won[n]) for n in rest)]


def _clarity(won: Winner) -> float:
    """How much a network tells: the speed-up of a winner that is alone and faithful."""
    if not won.faithful or won.ties or math.isnan(won.speedup):
        return 0.0
    return won.speedup


def _sentence(view: View, network: Network, won: Winner) -> str:
    where = f"On {view.name}, at {bandwidth_text(network[0])} and {latency_text(network[1])}, "
    if not won.faithful:
        return where + f"{won.system.label} has the shortest epoch, but the network's probe was off: no answer."
    also = _also(won)
    if won.system == view.baseline:
        return where + f"nothing is faster than {won.system.label}{also}."
    if math.isnan(won.speedup):
        return where + f"{won.system.label} is the fastest{also}; allreduce fp32, to compare with, was not measured."
    ratio = view.speedup(won.system, network)
    assert view.baseline is not None
    base = view.baseline.label
    if view.baseline in won.ties:
        return where + f"{won.system.label} and {base} cannot be told apart: {_interval(view, ratio.low, ratio.high)}."
    return where + (
        f"{won.system.label} is {ratio_text(ratio.value)} as fast as {base} "
        f"({_interval(view, ratio.low, ratio.high)}){also}."
    )


def _interval(view: View, low: float, high: float) -> str:
    kind = "within-run spread" if view.repetitions < 3 else "95 % interval"
    return f"{kind} {ratio_text(low)} to {ratio_text(high)}"


def _also(won: Winner) -> str:
    """Those that the run does not tell from the winner."""
    names = [system.label for system in won.ties]
    if not names:
        return ""
    return f"; {_list(names) if len(names) <= MANY else f'{len(names)} others'} may be as fast"


def _overall(view: View, won: Sequence[Winner]) -> str:
    """Who wins on how many networks."""
    faithful = [one for one in won if one.faithful]
    counts = Counter(tuple(sorted({one.system, *one.ties})) for one in faithful)
    parts = [f"{_winners(systems)} on {count}" for systems, count in counts.most_common(MANY)]
    others = len(faithful) - sum(count for _, count in counts.most_common(MANY))
    parts += [f"others on {others}"] * bool(others)
    unfaithful = len(won) - len(faithful)
    parts += [f"of {unfaithful} nothing is said, as their probes were off"] * bool(unfaithful)
    return f"The fastest, on the {len(won)} networks of {view.name}: {'; '.join(parts)}."


def _winners(systems: Sequence[System]) -> str:
    names = [system.label for system in systems]
    if len(names) == 1:
        return names[0]
    return f"{_list(names) if len(names) <= MANY else f'{len(names)} systems'}, not told apart,"


def _list(words: Sequence[str]) -> str:
    return " and ".join([", ".join(words[:-1])] * bool(words[:-1]) + [words[-1]])
