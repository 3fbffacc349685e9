"""What the page's script draws: views, systems and points, as plain data with the texts that people read."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd

from reports.explorer.answers import answers
from reports.explorer.time_lines import last_step
from reports.figures.fastest import ink, winner
from reports.looks import BLACK, luminance
from reports.measures import band_note, both_faithful
from reports.panels import BANDWIDTH, LATENCY, Axis
from reports.quantities import bandwidth_text, bytes_text, latency_text, printable, ratio_text, seconds_text
from reports.systems import System
from reports.view import PARTS, Interval, Network, Point, View, phrase, views

Traces = Callable[[str], Mapping[str, Any] | None]

SHAPES = {  # Vega's, for the markers of reports.looks
    "o": "circle", "s": "square", "^": "triangle-up", "v": "triangle-down", "<": "triangle-left", ">": "triangle-right",
    "D": "diamond", "d": "diamond", "P": "cross", "X": "cross", "x": "cross", "*": "wedge", "h": "wedge", "H": "arrow",
    "p": "arrow", "8": "circle",
}  # fmt: skip
CHOICES = ("topology", "workers", "workload", "device")  # which every page offers
OPTIONS = {"along": "along", "bandwidth": "bandwidth", "latency": "latency", "system": "time line of"}
DARK = 0.2  # luminance below which a colour is lightened on a dark page
MOST_TIME_LINES = 1000  # cells whose steps the file has; more would make it too large


def content(table: pd.DataFrame, traces: Traces | None) -> dict[str, Any]:
    """The page's data, of JSON's types only. `traces` gives a cell's trace by its id, or None."""
    found = views(table)
    systems = sorted({system for view in found for system in view.systems})
    numbers = {system: number for number, system in enumerate(systems)}
    keys = dict.fromkeys((*CHOICES, *(key for view in found for key in view.varied)))
    shown = traces if len(table) <= MOST_TIME_LINES else None
    return {
        "choices": [{"name": key, "label": key.replace("_", " ")} for key in keys],
        "options": [{"name": name, "label": label} for name, label in OPTIONS.items()],
        "systems": [system_look(system) for system in systems],
        "views": [_view(view, list(keys), numbers, shown) for view in found],
    }


def system_look(system: System) -> dict[str, Any]:
    """How a system is called and drawn, on a light and on a dark page."""
    look = system.look
    return {
        "label": system.label,
        "colour": look.colour,
        "dark": lightened(look.colour),
        "ink": ink(look.colour),
        "dark_ink": ink(lightened(look.colour)),
        "shape": SHAPES.get(look.marker, "circle"),
        "dash": list(look.dash),
    }


def lightened(colour: str) -> str:
    """The colour on a dark page: lighter where it is dark."""
    if colour == BLACK:
        return "#f0f0f0"
    parts = [float(int(colour[i : i + 2], 16)) for i in (1, 3, 5)]
    while luminance(text := "#" + "".join(f"{round(part):02x}" for part in parts)) < DARK:
        parts = [part + (255 - part) * 0.1 for part in parts]
    return text


def _view(view: View, keys: Sequence[str], numbers: Mapping[System, int], traces: Traces | None) -> dict[str, Any]:
    networks = [(b, latency) for latency in view.latencies for b in view.bandwidths]
    return {
        "name": view.name,
        "setting": {key: _setting(view, key) for key in keys},
        "origin": [printable(text) for text in view.origin],
        "answers": answers(view),
        "band": band_note(view),
        "baseline": numbers.get(view.baseline) if view.baseline else None,
        "systems": [numbers[system] for system in view.systems],
        "options": _options(view),
        "axes": {
            "bandwidth": _axis(Axis(label=BANDWIDTH, values=view.bandwidths, text=bandwidth_text)),
            "latency": _axis(Axis(label=LATENCY, values=view.latencies, text=latency_text)),
        },
        "points": [
            _point(view, system, network, point, traces) | {"system": numbers[system]}
            for system in view.systems
            for network, point in sorted(view.points[system].items())
        ],
        "winners": [one for network in networks if (one := _winner(view, network, numbers))],
    }


def _options(view: View) -> dict[str, list[str]]:
    """What is chosen within a view, the first where nothing is: of two axes the one with more than one value."""
    alone = len(view.bandwidths) < 2 <= len(view.latencies)
    return {
        "along": ["latency", "bandwidth"] if alone else ["bandwidth", "latency"],
        "bandwidth": [bandwidth_text(bandwidth) for bandwidth in view.bandwidths],
        "latency": [latency_text(latency) for latency in view.latencies],
        "system": [system.label for system in view.systems],
    }


def _setting(view: View, key: str) -> str:
    if key == "device":
        kind = "/".join(view.facts["device_kind"])
        return printable(f"{view.setting['device']} ({kind})" if kind else view.setting["device"])
    if key in view.setting:
        return phrase(key, view.setting[key]) if key not in CHOICES else printable(view.setting[key])
    return ""


def _axis(axis: Axis) -> dict[str, Any]:
    places = axis.places(axis.values)
    return {
        "label": axis.label,
        "values": [
            {"value": value, "place": place, "text": axis.text(value)}
            for value, place in zip(axis.values, places, strict=True)
        ],
    }


def _point(view: View, system: System, network: Network, point: Point, traces: Traces | None) -> dict[str, Any]:
    speedup = view.speedup(system, network)
    states = sorted({str(row["status"]) for row in point.rows} - {"ok"})
    state = "/".join(states) if point.failed else "measured" if point.faithful else "unfaithful"
    cells = [str(row["cell"]) for row in point.rows if row.get("cell")]
    trace = traces(cells[0]) if traces and cells and not point.failed else None
    return {
        "bandwidth": network[0],
        "latency": network[1],
        "epoch": interval(point.epoch_s),
        "speedup": interval(speedup),
        "parts": {part: number(point.parts_s[part]) for part in PARTS},
        "bytes": number(point.declared_bytes_per_step),
        "state": state,
        "speedup_faithful": both_faithful(view, system, network),
        "time_line": last_step(trace) if trace else [],
        "text": {
            "bandwidth": bandwidth_text(network[0]),
            "latency": latency_text(network[1]),
            "epoch": _spread(point.epoch_s, seconds_text),
            "speed-up": "" if system == view.baseline else _spread(speedup, ratio_text),
            "sent per step": bytes_text(point.declared_bytes_per_step),
            "probe: latency": _probed(point, "rtt_probe_s", "rtt_expected_s", latency_text),
            "probe: goodput": _probed(point, "goodput_probe_bit_per_s", "goodput_expected_bit_per_s", bandwidth_text),
            "state": _state(state, point.reason),
            "cell": ", ".join(printable(cell) for cell in cells),
        },
    }


def _state(state: str, reason: str) -> str:
    """A state with its reason, which may begin with it."""
    return printable(reason if reason.startswith(state) else f"{state}: {reason}" if reason else state)


def _winner(view: View, network: Network, numbers: Mapping[System, int]) -> dict[str, Any] | None:
    won = winner(view, network)
    if won is None:
        tried = any(view.point(system, network) for system in view.systems)
        return {"bandwidth": network[0], "latency": network[1], "system": None} if tried else None
    return {
        "bandwidth": network[0],
        "latency": network[1],
        "system": numbers[won.system],
        "text": "no allreduce" if math.isnan(won.speedup) else ratio_text(won.speedup),
        "ties": [system.label for system in won.ties],
        "faithful": won.faithful,
    }


def _probed(point: Point, measured: str, expected: str, text: Callable[[float], str]) -> str:
    """What the probe found and what it should have, of the first cell that has it."""
    for row in point.rows:
        values = [row.get(measured), row.get(expected)]
        if values[0] is not None and not pd.isna(values[0]):
            wanted = "" if values[1] is None or pd.isna(values[1]) else f", expected {text(float(values[1]))}"
            return text(float(values[0])) + wanted
    return ""


def _spread(interval: Interval, text: Callable[[float], str]) -> str:
    if math.isnan(interval.value):
        return ""
    return f"{text(interval.value)} ({text(interval.low)} to {text(interval.high)})"


def interval(of: Interval) -> list[float] | None:
    """Value, low and high end; None where there is none."""
    values = [number(value) for value in (of.value, of.low, of.high)]
    return None if None in values else [value for value in values if value is not None]


def number(value: float) -> float | None:
    """Six digits; None where there is none, as JSON has no nan."""
    return float(f"{value:.6g}") if math.isfinite(value) else None
