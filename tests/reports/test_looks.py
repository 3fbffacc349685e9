from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from itertools import combinations, pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb

from reports.looks import LOOKS, PLACES, VALUES, Look, look
from reports.systems import System, systems
from testbed.papers.figures import FIGURES
from testbed.training.plan import load_training

TRAININGS = Path(__file__).parents[2] / "trainings"
FILES = sorted({f"{figure.training}{end}" for figure in FIGURES if figure.training for end in ("", "-full")})
CLEARLY, A_LITTLE = 30, 12  # between two colours, in units of CIELAB; ours are 26 apart and more


def test_the_default_systems_have_colours_of_their_own(tables):
    colours = [look(*system).colour for system in tables.systems]
    assert len(set(colours)) == len(colours)


def test_no_two_known_systems_look_alike():
    assert all(a != b for a, b in combinations(LOOKS.values(), 2))


def test_an_unknown_name_looks_the_same_in_every_process():
    code = "from reports.looks import look; print(look('new', 'codec'))"
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    assert other == str(look("new", "codec"))


def test_a_variant_keeps_its_systems_colour_but_not_its_line():
    plain, variant = look("allreduce", "fp32"), look("allreduce", "fp32", {"exchange": "mpi"})
    assert plain.colour == variant.colour
    assert (plain.marker, plain.dash) != (variant.marker, variant.dash)


@pytest.mark.parametrize("key", VALUES)
@pytest.mark.parametrize("system", LOOKS, ids=" ".join)
def test_values_that_papers_compare_are_told_apart_by_shade_and_by_dashes(system, key):
    shown = [look(system[0], system[1], {key: value}) for value in VALUES[key]]
    assert len({one.dash for one in shown}) == PLACES
    assert {one.marker for one in shown} == {LOOKS[system].marker}
    light = [lightness(one.colour) for one in shown]
    falls = [abs(a - b) for a, b in pairwise(light)]
    assert min(falls) > 0.1 * (max(light) - min(light)) and max(light) - min(light) > 0.15


def lightness(colour: str) -> float:
    """About as the eye sees it, from 0 to 1."""
    red, green, blue = (channel**2.2 for channel in to_rgb(colour))
    return float((0.2126 * red + 0.7152 * green + 0.0722 * blue) ** (1 / 3))


def test_a_value_looks_the_same_in_every_figure():
    assert System("gtopk", "fp32", 0, "density=0.01").look == look("gtopk", "fp32", {"density": "0.01"})


def test_eight_bits_are_the_codecs_own_look():
    eight, four = System("dcd-psgd", "qsgd", 8), System("dcd-psgd", "qsgd", 4)
    assert eight.look == look("dcd-psgd", "qsgd")
    assert four.look.colour != eight.look.colour and four.look.dash != eight.look.dash


@pytest.mark.parametrize("file", FILES)
def test_every_two_systems_of_a_papers_figure_differ_at_a_glance(file, monkeypatch):
    monkeypatch.setattr("testbed.training.plan._checked", lambda _: ())  # it needs the data
    trials = load_training(TRAININGS / f"{file}.yaml").trials
    rows = [
        {"algorithm": trial.algorithm, "codec": trial.codec, "graph": trial.graph}
        | {key: json.dumps(dict(getattr(trial, key))) for key in ("algorithm_options", "codec_options")}
        for trial in trials
    ]
    found = list(zip(systems(pd.DataFrame(rows)), trials, strict=True))
    for drawn in {(trial.workload, trial.partition, trial.epochs) for trial in trials}:
        of = {system for system, trial in found if (trial.workload, trial.partition, trial.epochs) == drawn}
        alike = [(a.label, b.label) for a, b in combinations(sorted(of), 2) if not differ(a.look, b.look)]
        assert len(of) > 1 and not alike


@pytest.mark.parametrize(
    ("change", "enough"),
    [
        ({"colour": "#0072b2"}, True),
        ({"colour": "#ffa9dc"}, False),  # lighter
        ({"marker": "X"}, False),
        ({"dash": (5, 2)}, False),
        ({"marker": "X", "dash": (5, 2)}, True),
    ],
)
def test_colour_is_enough_but_of_line_and_marker_it_takes_both(change, enough):
    first = Look("#cc79a7", "P")
    assert differ(first, replace(first, **change)) == enough


def differ(a: Look, b: Look) -> bool:
    """In colour, or in line and marker; in one of these and a little in colour."""
    apart = float(np.linalg.norm(cielab(a.colour) - cielab(b.colour)))
    others = (a.marker != b.marker) + (a.dash != b.dash)
    return apart > CLEARLY or (apart > A_LITTLE and others > 0) or others == 2


def cielab(colour: str) -> np.ndarray:
    """Lightness, red to green, yellow to blue (CIE 1976, D65), in which distances are about what the eye sees."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour)]
    to_xyz = [[0.4339, 0.3762, 0.1898], [0.2126, 0.7152, 0.0722], [0.0177, 0.1095, 0.8730]]  # of white's
    x, y, z = (c ** (1 / 3) if c > 0.008856 else 7.787 * c + 16 / 116 for c in np.array(to_xyz) @ linear)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])
