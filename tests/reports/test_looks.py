import subprocess
import sys
from itertools import combinations, pairwise

import pytest
from matplotlib.colors import to_rgb

from reports.looks import LOOKS, PLACES, VALUES, look
from reports.systems import System


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
