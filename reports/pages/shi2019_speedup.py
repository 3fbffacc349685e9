"""gTop-k's speed-up over dense S-SGD on 4 to 32 workers (Shi et al., ICDCS 2019), beside what was measured here."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import pairwise

import pandas as pd
from matplotlib.figure import Figure

from reports import measures, panels
from reports.claims import Claim, Finding, Rule, Target, Untested, summary
from reports.pages import Content, Drawing, Grid, PageKind
from reports.panels import Axis, Curve, Panel
from reports.quantities import TIMES, bandwidth_text, latency_text, ratio_text
from reports.scaling import Scaling, Together, scalings
from reports.systems import System
from reports.view import NOTHING, Interval, Network

WORKERS = (4, 8, 16, 32)
PAPER: Mapping[str, Sequence[float]] = {  # by workload, for WORKERS
    "vgg16": (1.26, 1.41, 3.20, 9.78),
    "resnet20": (1.12, 1.23, 1.55, 2.74),
    "lstm-ptb": (1.41, 2.02, 3.68, 5.14),
}
AT: Network = (1e9, 0.436e-3)
TOPOLOGY = "star"
WITHIN = 1.25  # of the paper's number, either way
FASTER, RISING = Target(low=1.0), Target(low=1.0)
NOTES = (
    f"The paper's workers shared a network of 1 Gbit/s, of which it measured about 0.9, with a start-up time of a "
    f"message of 0.436 ms. Here every link of a star has {bandwidth_text(AT[0])} and the round trip between two "
    f"workers is {latency_text(AT[1])}. A speed-up is the time of an epoch with allreduce (float32, on a ring) over "
    f"that with gtopk (density 0.001). Target: within a factor of {WITHIN:g} of the paper's number, fixed beforehand.",
    "Neither algorithm's time depends on the values of gradients: what they send has a fixed size. So workers have a "
    "constant in their place.",
    "A dense allreduce on a ring moves 2 (P-1)/P of the vector over every link, whatever P: its time grows by a third "
    "from 4 to 32 workers and no more, so that speed-ups on such a network are bounded. Where the paper's grow beyond "
    "that, its dense exchange was slower than one on a ring at the rate of its links.",
)


def _measured(scaling: Scaling, workers: int) -> Interval:
    """gtopk's speed-up; Untested where the run has none."""
    found = scaling.speedup(workers, "gtopk", AT)
    if math.isnan(found.value):
        raise Untested(f"the run has no {workers} workers with both algorithms (-full.yaml has)")
    view = scaling.views[workers]
    if not all(measures.is_faithful(view, Scaling.system(view, name), AT) for name in ("allreduce", "gtopk")):
        raise Untested(f"a cell of {workers} workers is unfaithful, its network's probe was off")
    return found


def _number(workload: str, place: int, scaling: Scaling) -> Iterator[Finding]:
    paper, workers = PAPER[workload][place], WORKERS[place]
    target = Target(low=paper / WITHIN, high=paper * WITHIN)
    yield Finding(f"speed-up on {workers} workers", AT, _measured(scaling, workers), target)


def _faster(scaling: Scaling) -> Iterator[Finding]:
    for workers in _known(scaling):
        yield Finding(f"speed-up on {workers} workers", AT, _measured(scaling, workers), FASTER)


def _rising(scaling: Scaling) -> Iterator[Finding]:
    known = _known(scaling)
    if len(known) < 2:
        raise Untested("the run has fewer than two numbers of workers (-full.yaml has all)")
    for fewer, more in pairwise(known):
        what = f"speed-up, {more} : {fewer} workers"
        yield Finding(what, AT, _measured(scaling, more).over(_measured(scaling, fewer)), RISING)


def _known(scaling: Scaling) -> list[int]:
    known = [workers for workers in WORKERS if not math.isnan(scaling.speedup(workers, "gtopk", AT).value)]
    if not known:
        raise Untested("the run has not measured both algorithms on any of the paper's numbers of workers")
    return known


def _rules(workload: str) -> list[Rule[Scaling]]:
    numbers = " / ".join(f"{number:g}" for number in PAPER[workload])
    paper = f"Speed-ups over dense S-SGD of {numbers} with P = {' / '.join(map(str, WORKERS))}"
    return [
        *(
            Rule(
                part=workload,
                claim=f"On {workers} workers gtopk is {PAPER[workload][place]:g} times as fast as dense S-SGD",
                paper=paper,
                target=f"{PAPER[workload][place] / WITHIN:.3g} to {PAPER[workload][place] * WITHIN:.3g}",
                findings=partial(_number, workload, place),
            )
            for place, workers in enumerate(WORKERS)
        ),
        Rule(
            part=workload,
            claim="gtopk is faster on any number of workers",
            paper=paper,
            target=f"speed-up {FASTER.text} on every number of workers that was measured",
            findings=_faster,
        ),
        Rule(
            part=workload,
            claim="and the more so, the more workers there are",
            paper=paper,
            target=f"speed-up over that on the next smaller number of workers {RISING.text}",
            findings=_rising,
        ),
    ]


RULES = {workload: _rules(workload) for workload in PAPER}


def build(table: pd.DataFrame) -> Content | None:
    """The page; None for a run without gtopk beside allreduce on the paper's network."""
    shown = [scaling for scaling in scalings(table) if _is_about(scaling)]
    if not shown:
        return None
    claims = [rule.judge(scaling, scaling.name) for scaling in shown for rule in RULES[scaling.setting["workload"]]]
    claims += _absent(shown)
    return Content(
        summary=summary(claims),
        notes=[*NOTES, *_estimates(shown)],
        claims=claims,
        drawings=[
            Drawing(
                name="shi2019-speedup",
                figure=_draw(shown),
                view=Together(scalings=shown),
                alt="Speed-up of gtopk over dense allreduce against the number of workers, the paper's and measured",
            )
        ],
        grids=[_grid(shown)],
    )


def _is_about(scaling: Scaling) -> bool:
    if scaling.setting["topology"] != TOPOLOGY or scaling.setting["workload"] not in PAPER:
        return False
    return any(not math.isnan(scaling.speedup(workers, "gtopk", AT).value) for workers in WORKERS)


def _absent(shown: Sequence[Scaling]) -> list[Claim]:
    """Of workloads that the run lacks."""
    there = {scaling.setting["workload"] for scaling in shown}
    why = "the run has no such cells (sweeps/shi2019-speedup-full.yaml has)"
    return [rule.untested(why, workload) for workload in PAPER if workload not in there for rule in RULES[workload]]


def _estimates(shown: Sequence[Scaling]) -> list[str]:
    devices = {
        s.setting["device"] for s in shown if any("estimated" in v.facts["device_kind"] for v in s.views.values())
    }
    if not devices:
        return []
    return [
        f"The compute time is an estimate of {'/'.join(sorted(devices))}, which is not the paper's GPU, and speed-ups "
        f"depend on it: half and twice of it stand beside it, where they were measured."
    ]


def _draw(shown: Sequence[Scaling]) -> Figure:
    axis = Axis(label="workers", values=WORKERS, text=str)
    found = []
    for workload in dict.fromkeys(scaling.setting["workload"] for scaling in shown):
        of = [scaling for scaling in shown if scaling.setting["workload"] == workload]
        paper = [Interval(value, value, value) for value in PAPER[workload]]
        curves = [_curve(System("paper", ""), axis, paper), *(_curve(_system(s), axis, _speedups(s)) for s in of)]
        found.append(Panel(title=workload, axis=axis, curves=curves))
    return panels.draw(
        found,
        title=f"gTop-k over dense S-SGD at {bandwidth_text(AT[0])}, {latency_text(AT[1])}",
        note=measures.band_note(next(iter(shown[0].views.values()))),
        y_label="speed-up",
        y_text=ratio_text,
        reference=1.0,
    )


def _curve(system: System, axis: Axis, values: Sequence[Interval]) -> Curve:
    nowhere = [False] * len(values)
    return Curve(system=system, x=axis.places(axis.values), values=values, unfaithful=nowhere, failed=nowhere)


def _system(scaling: Scaling) -> System:
    scale = scaling.setting["compute_scale"]
    return System("gtopk", "fp32", variant="" if scale == 1 else f"compute {TIMES}{scale:g}")


def _speedups(scaling: Scaling) -> list[Interval]:
    return [scaling.speedup(workers, "gtopk", AT) for workers in WORKERS]


def _grid(shown: Sequence[Scaling]) -> Grid:
    rows = []
    for workload, paper in PAPER.items():
        rows.append([workload, "paper", *(f"{value:.2f}" for value in paper)])
        of = [scaling for scaling in shown if scaling.setting["workload"] == workload]
        rows += [["", scaling.name, *(_text(value) for value in _speedups(scaling))] for scaling in of]
    return Grid(
        heading="The paper's speed-ups, and those measured",
        caption="Speed-up of gtopk over dense allreduce; in brackets the ends of its 95 % interval",
        header=["workload", "", *(f"{workers} workers" for workers in WORKERS)],
        rows=rows,
    )


def _text(value: Interval) -> str:
    if value is NOTHING or math.isnan(value.value):
        return "not measured"
    return f"{value.value:.2f} ({value.low:.2f} to {value.high:.2f})"


PAGE = PageKind(
    name="shi2019-speedup",
    title="gTop-k beside dense S-SGD on 4 to 32 workers",
    source="Shi, Wang, Zhao, Tang, Wang, Huang and Chu: A Distributed Synchronous SGD Algorithm with Global Top-k "
    "Sparsification for Low Bandwidth Networks, ICDCS 2019",
    build=build,
)
