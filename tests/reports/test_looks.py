import subprocess
import sys
from itertools import combinations

from reports.looks import LOOKS, look
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
    plain, variant = look("allreduce", "fp32"), look("allreduce", "fp32", "exchange=mpi")
    assert plain.colour == variant.colour
    assert (plain.marker, plain.dash) != (variant.marker, variant.dash)


def test_eight_bits_are_the_codecs_own_look():
    eight, four = System("dcd-psgd", "qsgd", 8), System("dcd-psgd", "qsgd", 4)
    assert eight.look == look("dcd-psgd", "qsgd")
    assert four.look != eight.look
