from __future__ import annotations

import math

import pytest

from algorithms import registry
from algorithms.algorithm import Worker
from algorithms.codecs.codec import create_codec
from algorithms.codecs.qsgd import Qsgd
from algorithms.theory import resolved

PAPERS = {"q": "theory", "norm": "l2", "bucket": "vector"}


@pytest.mark.parametrize(
    ("name", "samples", "squared"),  # s = sqrt(squared N) / 2
    [("qsgd", None, 1), ("allreduce", 32, 32), ("qsgd", 32, 32), ("pqasgd", None, 1), ("pqasgd", 32, 32 * 8)],
)
def test_theory_has_the_papers_levels(name, samples, squared):
    """Jiang & Agrawal 2018, sections 3.3, 4 and 5: q is 1 on shared data, 1/m or 1/(m p) on partitioned data."""
    options = resolved(PAPERS, name, registry.options(name, {}), samples)
    codec = create_codec("qsgd", options)
    assert isinstance(codec, Qsgd)
    assert codec.levels_of(1_000_000) == math.ceil(math.sqrt(squared * 1_000_000) / 2)


def test_theory_is_resolved_in_codecs_of_layers_and_refused_where_there_is_none():
    nested = {"layers": ["fc*"], "codec": {"name": "qsgd", "q": "theory"}, "rest": "fp32"}
    options = resolved(nested, "pqasgd", registry.options("pqasgd", {"period": 2}), 8)
    assert options == nested | {"codec": {"name": "qsgd", "q": 1 / 16}}
    with pytest.raises(ValueError, match=r"q is theory, but algorithm dcd-psgd .*, as allreduce, pqasgd, qsgd have"):
        resolved(PAPERS, "dcd-psgd", registry.options("dcd-psgd", {}), 8)


@pytest.mark.parametrize(("bits", "fine"), [(8, True), (2, False)])
def test_advice_is_about_q(bits, fine):
    codec = create_codec("qsgd", {"bits": bits, "norm": "l2"})
    algorithm = registry.create("qsgd", Worker(rank=0, workers=2, parameters=1000, codec=codec))
    assert (algorithm.advice() == ()) == fine
    assert fine or "q <= 1 on shared data" in algorithm.advice()[0]


def test_another_codec_is_refused():
    with pytest.raises(ValueError, match="algorithm qsgd: codec is fp32, must be qsgd"):
        registry.create("qsgd", Worker(rank=0, workers=2, parameters=9, codec=create_codec("fp32")))
