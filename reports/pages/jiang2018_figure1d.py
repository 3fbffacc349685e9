"""Jiang & Agrawal 2018, figure 1d: loss against time on 16 workers at 5 Gbit/s each way, FULLSGD, QSGD, PQASGD.

A model smaller than ResNet-110 stands in for it on links that are slower in proportion, so that an exchange takes as
long as that of ResNet-110 would.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pandas as pd

from reports import curves, emulated_curves
from reports.claims import Finding, Rule, Target, Untested
from reports.convergence import AS_FAST, is_about, page, ratio, require
from reports.effective_floats import components
from reports.emulated import Emulated, emulated, network_text, speedup
from reports.jiang2018 import ABOUT, PAPER, PERIOD, names, sent
from reports.pages import Content, Drawing, PageKind
from reports.quantities import bandwidth_text
from reports.view import Network

FIGURE = "Jiang & Agrawal 2018, figure 1d"
WORKERS = 16
BIT_PER_S = 5e9  # each way, of the paper's links
PARAMETERS = 1_727_962  # of ResNet-110
OVER_FULLSGD, OVER_QSGD, CE = 2.7, 1.7, 0.035  # the paper's
NEAR = 1.25  # times a speed-up of the paper, or so much less


def _near(paper: float) -> Target:
    return Target(low=round(paper / NEAR, 2), high=round(paper * NEAR, 2))


def _network(shown: Emulated) -> Network:
    """The paper's, at the model's scale; Untested without times there."""
    parameters = components(shown.training)
    wanted = BIT_PER_S * parameters / PARAMETERS
    found = [network for network in shown.epoch_s if abs(network[0] / wanted - 1) < 0.01]
    if not found:
        raise Untested(
            f"no epoch was measured at {bandwidth_text(wanted)}, which {parameters:,} parameters take for 5 Gbit/s"
        )
    return found[0]


def _speedup(shown: Emulated) -> Iterator[Finding]:
    training = shown.training
    for other, paper in (("allreduce", OVER_FULLSGD), ("qsgd", OVER_QSGD)):
        ours, slower = require(training, "pqasgd"), require(training, other)
        yield speedup(shown, _network(shown), ours, slower, _near(paper))


def _data(shown: Emulated) -> Iterator[Finding]:
    yield sent(shown.training, require(shown.training, "pqasgd"), CE)


def _as_fast(shown: Emulated) -> Iterator[Finding]:
    training = shown.training
    yield ratio(training, require(training, "pqasgd"), require(training, "allreduce"), AS_FAST)


RULES: tuple[Rule[Emulated], ...] = (
    Rule(
        part="1d",
        claim=f"PQASGD takes {OVER_FULLSGD:g} times less time than FULLSGD, and {OVER_QSGD:g} times less than QSGD",
        paper="our PQASGD achieves 2.7x speedup against FULLSGD and 1.7x against QSGD",
        target=f"time of all epochs of allreduce over that of pqasgd {_near(OVER_FULLSGD).text}, of qsgd "
        f"{_near(OVER_QSGD).text}",
        findings=_speedup,
    ),
    Rule(
        part="1d",
        claim="because it sends few data",
        paper="it requires only 3.5% communication data size compared with FULLSGD",
        target=f"ce within a factor of {ABOUT:g} of {100 * CE:g} %",
        findings=_data,
    ),
    Rule(
        part="1d",
        claim="and learns as much",
        paper="The test error of PQASGD after 200 epochs is 0.0635, which is in consistent with the best accuracy "
        "reported in [19]. Thus, our PQASGD does not impair the generalization.",
        target=f"last training loss over that of allreduce {AS_FAST.text}",
        findings=_as_fast,
    ),
)


def build(table: pd.DataFrame) -> Content | None:
    """The page; None for a training of other systems, on fewer workers, or without times."""
    systems = [("allreduce", None), ("qsgd", None), ("pqasgd", None)]
    found = [one for one in emulated(table) if is_about(one.training, systems)]
    shown = [one for one in found if int(one.training.setting["workers"]) == WORKERS]
    if not shown:
        return None
    claims = [rule.judge(one, f"{one.training.size}; {one.times}") for one in shown for rule in RULES]
    return page(claims, [one.training for one in shown], list(_drawings(shown)))


def _drawings(shown: Sequence[Emulated]) -> Iterator[Drawing]:
    for number, one in enumerate(shown, 1):
        title = f"{FIGURE}, composed again"
        parts = {network_text(network): network for network in one.epoch_s}
        figure = emulated_curves.draw(one, curves.TRAIN_LOSS, parts, title=title, names=names(one.training))
        if figure:
            name = "jiang2018-figure1d" + (f"-{number}" if len(shown) > 1 else "")
            yield Drawing(name=name, figure=figure, view=one, alt=f"{title}: {one.training.size}; {one.times}")


TRAINING_PAGE = PageKind(
    name="jiang2018-figure1d",
    title=f"Convergence in time on {WORKERS} workers, with p = {PERIOD}",
    source=f"{PAPER}, section 5.1, figure 1d",
    build=build,
)
