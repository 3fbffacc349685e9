"""Tang et al. 2018, figures 2b, 2c and 2d: loss against time on three networks, with 32 and 8 bits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

import pandas as pd

from reports import curves, emulated_curves
from reports.claims import Finding, Rule, Target
from reports.convergence import is_about, page, require
from reports.emulated import Emulated, emulated, network_text, until
from reports.pages import Content, Drawing, PageKind
from reports.systems import System
from reports.tang2018 import (
    ABOUT_EQUAL,
    GOOD_BIT_PER_S,
    HIGH_LATENCY_S,
    LOW_BIT_PER_S,
    LOW_LATENCY_S,
    MUCH_FASTER,
)
from reports.view import Network

BITS = 8
BEST: Network = (GOOD_BIT_PER_S, LOW_LATENCY_S)
HIGH_LATENCY: Network = (GOOD_BIT_PER_S, HIGH_LATENCY_S)
LOW_BANDWIDTH: Network = (LOW_BIT_PER_S, LOW_LATENCY_S)
PANELS = {"b": ("best network", BEST), "c": ("high latency", HIGH_LATENCY), "d": ("low bandwidth", LOW_BANDWIDTH)}
FIGURE = "Tang 2018, figures 2b, 2c and 2d"


def _eight_bit(shown: Emulated) -> list[System]:
    return [require(shown.training, algorithm, bits=BITS) for algorithm in ("dcd-psgd", "ecd-psgd")]


def _decentralized(network: Network, target: Target, shown: Emulated) -> Iterator[Finding]:
    for system in (require(shown.training, "d-psgd"), *_eight_bit(shown)):
        yield until(shown, network, system, require(shown.training, "allreduce"), target)


def _low_precision(shown: Emulated) -> Iterator[Finding]:
    for system in _eight_bit(shown):
        yield until(shown, LOW_BANDWIDTH, system, require(shown.training, "d-psgd"), MUCH_FASTER)


RULES = (
    Rule(
        part="2b",
        claim="On the best network all run alike",
        paper="On this occasion, all implementations have a very similar runtime performance because communication is "
        "not the bottleneck for system.",
        target=f"time to the same loss at {network_text(BEST)}, each decentralized system : allreduce, "
        f"{ABOUT_EQUAL.text}",
        findings=partial(_decentralized, BEST, ABOUT_EQUAL),
    ),
    Rule(
        part="2c",
        claim="At high latency decentralized systems are ahead of allreduce",
        paper="When the latency is high, however, decentralized algorithms outperform the allreduce because of fewer "
        "number of communications.",
        target=f"the same at {network_text(HIGH_LATENCY)}, {MUCH_FASTER.text}",
        findings=partial(_decentralized, HIGH_LATENCY, MUCH_FASTER),
    ),
    Rule(
        part="2d",
        claim="At low bandwidth 8 bits are ahead of 32",
        paper="low precision methods exchange much less amount of data and thus can outperform full precision cases in "
        "low bandwidth situation",
        target=f"time to the same loss at {network_text(LOW_BANDWIDTH)}, dcd-psgd and ecd-psgd with 8 bits : d-psgd, "
        f"{MUCH_FASTER.text}",
        findings=_low_precision,
    ),
)


def build(table: pd.DataFrame) -> Content | None:
    """The page; None for a training of other systems, and for one without times on any of the networks."""
    systems = [("allreduce", None), ("d-psgd", None), ("dcd-psgd", "qsgd"), ("ecd-psgd", "qsgd")]
    shown = [one for one in emulated(table) if is_about(one.training, systems) and _networks(one)]
    if not shown:
        return None
    claims = [rule.judge(one, f"{one.training.size}; {one.times}") for one in shown for rule in RULES]
    return page(claims, [one.training for one in shown], list(_drawings(shown)))


def _networks(shown: Emulated) -> dict[str, Network]:
    """The paper's panels that there are times of."""
    return {
        f"({part}) {words}: {network_text(network)}": network
        for part, (words, network) in PANELS.items()
        if network in shown.epoch_s
    }


def _drawings(shown: Sequence[Emulated]) -> Iterator[Drawing]:
    for number, one in enumerate(shown, 1):
        title = f"{FIGURE}, composed again"
        if figure := emulated_curves.draw(one, curves.TRAIN_LOSS, _networks(one), title=title):
            name = "tang2018-figure2bcd" + (f"-{number}" if len(shown) > 1 else "")
            yield Drawing(name=name, figure=figure, view=one, alt=f"{title}: {one.training.size}; {one.times}")


TRAINING_PAGE = PageKind(
    name="tang2018-figure2bcd",
    title="Convergence in time on three networks",
    source="Tang, Gan, Zhang, Zhang, Liu: Communication Compression for Decentralized Training, 2018, "
    "section 5.2, figures 2b, 2c and 2d",
    build=build,
)
