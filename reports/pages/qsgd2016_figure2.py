"""QSGD 2016, figure 2: how the perceptron scales to 4 workers with SGD, 1-bit SGD and QSGD."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import pandas as pd

from reports import measures, panels
from reports.claims import Finding, Rule, Target, Untested, summary
from reports.pages import Content, Drawing, Grid, PageKind
from reports.panels import Axis, Curve, Panel
from reports.quantities import bandwidth_text, latency_text, ratio_text
from reports.scaling import Scaling, Together, scalings
from reports.systems import System
from reports.view import NOTHING, PARTS, Interval, Network, View

FIGURE = "QSGD 2016, figure 2"
WORKERS = (2, 4)
TOTAL = 256  # samples of a step, of all workers
SGD, ONEBIT, QSGD = "allreduce", "onebit", "qsgd"
AT: Network = (10e9, 0.1e-3)
FASTER = Target(low=1.0)
PAPER = (
    "we show preliminary scalability experiments on MNIST, using up to 4 GPUs, compared with vanilla SGD and 1-Bit SGD"
)
NOTES = (
    "The paper's text names no axes of figure 2. Our reading: (a) how much faster an epoch is than on one worker that "
    "computes alone, (b) the time of a step. It claims nothing of them either: that QSGD and 1-bit SGD scale better "
    "than vanilla SGD is our reading, and the only thing that is judged.",
    f"It names no network: here every link of a star has {bandwidth_text(AT[0])} and the round trip between two "
    f"workers is {latency_text(AT[1])}. A step has {TOTAL} samples in all. One worker computes them in what the "
    "compute times of both smaller batches give on a line, and applies its gradient as with allreduce.",
    "The paper overlapped communication and quantization with computing (double buffering), which is not built here, "
    "and sent quantized gradients as raw floats. Here they are coded and nothing overlaps. Times depend on no values: "
    "workers have a constant in the place of gradients.",
)


@dataclass(frozen=True, kw_only=True)
class Shown:
    """A run's views by workers, and how many steps an epoch has, the same on any number of them."""

    scaling: Scaling
    steps: float

    @property
    def systems(self) -> list[System]:
        """Of any number of workers, SGD first."""
        return list(dict.fromkeys(system for view in self.scaling.views.values() for system in view.systems))

    def step_s(self, system: System, workers: int) -> Interval:
        """Nothing where it was not measured."""
        view = self.scaling.views.get(workers)
        found = measures.epoch(view, system, AT) if view else NOTHING
        return Interval(found.value / self.steps, found.low / self.steps, found.high / self.steps)

    @property
    def alone_s(self) -> float:
        """A step of one worker with all samples; nan where SGD was not measured with both smaller batches."""
        few, many = (self.part_s(SGD, workers, "compute") for workers in WORKERS)
        per_sample_s = (few - many) / (TOTAL / WORKERS[0] - TOTAL / WORKERS[1])
        return few + per_sample_s * (TOTAL - TOTAL / WORKERS[0]) + self.part_s(SGD, WORKERS[0], "apply")

    def speedup(self, system: System, workers: int) -> Interval:
        """Over one worker alone."""
        ours, alone = self.step_s(system, workers), self.alone_s
        return Interval(alone / ours.value, alone / ours.high, alone / ours.low)

    def part_s(self, algorithm: str, workers: int, part: str) -> float:
        """Of a mean step; nan where it was not measured."""
        view = self.scaling.views.get(workers)
        point = view.point(Scaling.system(view, algorithm), AT) if view else None
        return point.parts_s[part] if point else math.nan


def _better(algorithm: str, scaling: Scaling) -> Iterator[Finding]:
    for workers in WORKERS:
        found = scaling.speedup(workers, algorithm, AT)
        if math.isnan(found.value):
            raise Untested(f"the run has not measured {algorithm} and {SGD} on {workers} workers")
        if not all(_faithful(scaling.views[workers], name) for name in (SGD, algorithm)):
            raise Untested(f"a cell of {workers} workers is unfaithful, its network's probe was off")
        yield Finding(f"time of SGD : {algorithm} on {workers} workers", AT, found, FASTER)


def _faithful(view: View, algorithm: str) -> bool:
    return measures.is_faithful(view, Scaling.system(view, algorithm), AT)


RULES = tuple(
    Rule(
        part="2",
        claim=f"{name} scales better than vanilla SGD",
        paper=PAPER,
        target=f"epoch time of allreduce over that of {algorithm} {FASTER.text} on 2 and on 4 workers",
        findings=partial(_better, algorithm),
    )
    for name, algorithm in (("QSGD", QSGD), ("1-bit SGD", ONEBIT))
)


def build(table: pd.DataFrame) -> Content | None:
    """The page; None for a run without these three on the perceptron and on our network."""
    shown = [_shown(table, scaling) for scaling in scalings(table) if _is_about(scaling)]
    if not shown:
        return None
    claims = [rule.judge(one.scaling, one.scaling.name) for one in shown for rule in RULES]
    return Content(
        summary=summary(claims),
        notes=NOTES,
        claims=claims,
        drawings=[drawing for number, one in enumerate(shown, 1) for drawing in _drawings(one, number, len(shown))],
        grids=[_grid(one) for one in shown],
    )


def _is_about(scaling: Scaling) -> bool:
    if (scaling.setting["topology"], scaling.setting["workload"]) != ("star", "mlp-4096"):
        return False
    measured = {s.algorithm for view in scaling.views.values() for s in view.systems if view.point(s, AT)}
    return measured >= {SGD, ONEBIT, QSGD} and set(scaling.views) <= set(WORKERS)


def _shown(table: pd.DataFrame, scaling: Scaling) -> Shown:
    steps = table.loc[table["workload"] == scaling.setting["workload"], "steps_per_epoch"].dropna()
    return Shown(scaling=scaling, steps=float(steps.iloc[0]) if len(steps) else math.nan)


def _drawings(one: Shown, number: int, of: int) -> Iterator[Drawing]:
    after = f"-{number}" if of > 1 else ""
    note = measures.band_note(next(iter(one.scaling.views.values())))
    place = f"at {bandwidth_text(AT[0])}, {latency_text(AT[1])}"
    for part, value, label, text, level in (
        ("a", one.speedup, "speed-up over one worker alone", ratio_text, 1.0),
        ("b", one.step_s, "time of a step", latency_text, one.alone_s),
    ):
        values = [[value(system, workers) for workers in WORKERS] for system in one.systems]
        if not any(math.isfinite(interval.value) for of_system in values for interval in of_system):
            continue
        yield Drawing(
            name=f"qsgd2016-figure2{part}{after}",
            figure=panels.draw(
                [_panel(one, values)],
                title=f"{FIGURE}{part}, measured again {place}",
                note=f"level line: one worker alone; {note}",
                y_label=label,
                y_text=text,
                reference=level if math.isfinite(level) else None,
            ),
            view=Together(scalings=[one.scaling]),
            alt=f"{label} of allreduce, onebit and qsgd on 2 and 4 workers {place}",
        )


def _panel(one: Shown, values: Sequence[Sequence[Interval]]) -> Panel:
    axis = Axis(label="workers", values=WORKERS, text=str)
    return Panel(title=one.scaling.name, axis=axis, curves=[
        Curve(system=system, x=axis.places(axis.values), values=of_system, unfaithful=_unfaithful(one, system),
              failed=[False] * len(WORKERS))
        for system, of_system in zip(one.systems, values, strict=True)
    ])  # fmt: skip


def _unfaithful(one: Shown, system: System) -> list[bool]:
    found = [one.scaling.views.get(workers) for workers in WORKERS]
    return [view is not None and not measures.is_faithful(view, system, AT) for view in found]


def _grid(one: Shown) -> Grid:
    rows = [["one worker alone", "1", _ms(one.alone_s), *[""] * len(PARTS), "1"]]
    for system in one.systems:
        for workers in WORKERS:
            parts = [_ms(one.part_s(system.algorithm, workers, part)) for part in PARTS]
            speedup = one.speedup(system, workers).value
            rows.append([
                system.label, str(workers), _ms(one.step_s(system, workers).value), *parts,
                "not measured" if math.isnan(speedup) else f"{speedup:.2f}",
            ])  # fmt: skip
    return Grid(
        heading="A step, and its parts",
        caption=f"Milliseconds of a mean step: {one.scaling.name}",
        header=["system", "workers", "step", *PARTS, "speed-up over one worker"],
        rows=rows,
    )


def _ms(seconds: float) -> str:
    return "not measured" if math.isnan(seconds) else f"{1e3 * seconds:.3f}"


PAGE = PageKind(
    name="qsgd2016-figure2",
    title="QSGD and 1-bit SGD beside vanilla SGD on up to 4 workers",
    source="Alistarh, Li, Tomioka, Vojnovic: Quantized Stochastic Gradient Descent: Communication versus Convergence, "
    "2016, section 4, figure 2",
    build=build,
)
