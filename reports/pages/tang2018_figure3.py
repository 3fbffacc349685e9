"""Tang et al. 2018, figure 3: its four panels per compute time, its claims beside the measured."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import pandas as pd

from reports import measures, panels
from reports.claims import summary
from reports.pages import Content, Drawing, Grid, PageKind
from reports.panels import Axis, Panel
from reports.quantities import TIMES, bandwidth_text, latency_text, printable, ratio_text, seconds_text, slug
from reports.systems import System
from reports.tang2018 import (
    GOOD_BIT_PER_S,
    HIGH_LATENCY_S,
    LOW_BIT_PER_S,
    LOW_LATENCY_S,
    setting_text,
    tang_figure3_verdict,
    tang_views,
    three_systems,
)
from reports.view import Network, View, views

SCALES = (0.5, 1.0, 2.0)  # an estimated device is repeated at half and twice its compute time
CORNERS = [
    (LOW_BIT_PER_S, LOW_LATENCY_S),
    (GOOD_BIT_PER_S, LOW_LATENCY_S),
    (LOW_BIT_PER_S, HIGH_LATENCY_S),
    (GOOD_BIT_PER_S, HIGH_LATENCY_S),
]


def build(table: pd.DataFrame) -> Content | None:
    """The page; None for a run without the paper's systems on a star of 8 workers."""
    shown = [view for view in tang_views(table) if three_systems(view)]
    if not shown:
        return None
    claims = tang_figure3_verdict(table)
    return Content(
        summary=summary(claims),
        notes=[*_sensitivity(shown), *_differences(shown)],
        claims=claims,
        drawings=[drawing for view in shown if (drawing := _drawing(view, shown))],
        grids=_grids(table),
    )


def _drawing(view: View, shown: Sequence[View]) -> Drawing | None:
    """The paper's four panels for one compute time; None where the run has none of the four networks."""
    four = _panels(view)
    if not (four and view.measured):
        return None
    scale = view.setting["compute_scale"]
    same = [v for v in shown if setting_text(v) == setting_text(view)]
    number = f"-{same.index(view) + 1}" if len(same) > 1 else ""
    figure = panels.draw(
        four,
        title=f"Tang 2018, figure 3, measured again: {setting_text(view)}",
        note=measures.band_note(view),
        y_label="epoch time",
        y_text=seconds_text,
    )
    name = slug(f"tang2018-figure3-{view.setting['device']}-x{scale:g}{number}")
    return Drawing(name=name, figure=figure, view=view, alt=f"Epoch times, {setting_text(view)}")


def _panels(view: View) -> list[Panel]:
    """Panels (a) to (d) whose network the run has; bandwidth falls from left to right, as in the paper."""
    systems = three_systems(view)
    swept = [b for b in view.bandwidths if LOW_BIT_PER_S <= b <= GOOD_BIT_PER_S]
    bandwidth = Axis(label=panels.BANDWIDTH, values=swept, text=bandwidth_text, falling=True)
    found = [
        (part, panels.at_latency(view, measures.EPOCH, systems, latency, bandwidth))
        for part, latency in (("(a) low", LOW_LATENCY_S), ("(b) high", HIGH_LATENCY_S))
        if swept and latency in view.latencies
    ] + [
        (part, panels.at_bandwidth(view, measures.EPOCH, systems, rate))
        for part, rate in (("(c) good", GOOD_BIT_PER_S), ("(d) low", LOW_BIT_PER_S))
        if rate in view.bandwidths
    ]
    return [replace(panel, title=f"{part} {panel.title}") for part, panel in found]


def _sensitivity(shown: Sequence[View]) -> list[str]:
    """An estimated device asks for the figure at half and twice its compute time; what lacks is said."""
    notes = []
    for device in dict.fromkeys(view.setting["device"] for view in shown):
        same = [view for view in shown if view.setting["device"] == device]
        if not any("estimated" in view.facts["device_kind"] for view in same):
            continue
        lacking = [f"{s:g}" for s in SCALES if s not in {view.setting["compute_scale"] for view in same}]
        text = f"The compute time of {printable(device)} is an estimate, not a measurement"
        notes.append(
            f"{text}; the figure has yet to be repeated at compute {TIMES}{f' and {TIMES}'.join(lacking)}."
            if lacking
            else f"{text}; the figure is repeated at half and twice that time."
        )
    return notes


def _differences(shown: Sequence[View]) -> list[str]:
    """What differs from the paper in every run."""
    datasets = sorted({dataset for view in shown for dataset in view.facts["dataset"]})
    return [
        "The paper states no numbers for this figure; the targets are this project's reading of its words, "
        "fixed beforehand. It names no high latency: 20 ms is this project's choice. A ratio agrees or "
        "disagrees only with its whole interval inside or outside the target.",
        f"Data set here: {', '.join(datasets) or 'unknown'}; the paper trained ResNet-20 on CIFAR-10.",
    ]


def _grids(table: pd.DataFrame) -> list[Grid]:
    """A table for each setting, under one heading."""
    found = [grid for view in views(table) if (grid := _corners(view))]
    return [replace(found[0], heading="Beside the paper's systems"), *found[1:]] if found else []


def _corners(view: View) -> Grid | None:
    """Every system's epoch at the figure's four corners: our own finding beside the paper's."""
    corners = [n for n in CORNERS if any(view.point(system, n) for system in view.systems)]
    if not corners:
        return None
    where = printable(f"{view.setting['topology']}, {view.setting['workers']} workers")
    return Grid(
        caption=f"All systems at the figure's corners: {where}, {setting_text(view)}. "
        "In brackets: speed-up over allreduce fp32.",
        header=["system", *(f"{bandwidth_text(b)}, {latency_text(latency)}" for b, latency in corners)],
        rows=[[s.label, *(_cell(view, s, n) for n in corners)] for s in view.systems],
    )


def _cell(view: View, system: System, network: Network) -> str:
    point = view.point(system, network)
    if point is None:
        return "no cell"
    if point.failed:
        return "failed"
    speedup = view.speedup(system, network).value
    text = seconds_text(point.epoch_s.value) + ("" if math.isnan(speedup) else f" ({ratio_text(speedup)})")
    return text if point.faithful else f"{text}, unfaithful"


PAGE = PageKind(
    name="tang2018-figure3",
    title="Epoch time under four kinds of network",
    source="Tang, Gan, Zhang, Zhang, Liu: Communication Compression for Decentralized Training, 2018, "
    "section 5.3, figure 3",
    build=build,
)
