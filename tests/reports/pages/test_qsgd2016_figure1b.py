from __future__ import annotations

import json
from typing import Any

import pandas as pd
import pytest

from reports.claims import Claim
from reports.effective_floats import BUCKETS, by_lemma
from reports.pages import Content, qsgd2016_figure1b
from reports.training import trainings
from testbed import workloads
from tests.reports.test_training import trial

CUT = {"channels": 8, "hidden": 256}
LINEAR, WHOLE = ("allreduce", "by-layer"), ("qsgd", "qsgd")
LOSS = {LINEAR: 0.55, WHOLE: 0.8}  # of SGD 0.5
ACCURACY = {LINEAR: 0.79, WHOLE: 0.6}  # of SGD 0.8
FLOATS = {LINEAR: {256: 1.5e6, 1024: 1.3e6, 4096: 1.2e6}, WHOLE: {256: 580e3, 1024: 312e3, 4096: 176e3}}


def rows(system: tuple[str, str], seed: int, bucket: int, **more: Any) -> list[dict[str, Any]]:
    """A trial's; `bits` of each component, `coding`, and what `trial` takes."""
    coding, bits = more.pop("coding", "fixed"), more.pop("bits", 2.1)
    quantized = {"name": "qsgd", "levels": 1, "bucket": bucket, "coding": coding}
    options = {"codec": quantized, "rest": {"name": "fp32"}} if system == LINEAR else quantized
    found = trial(system[0], seed, codec=system[1], **more)
    own = {"codec_options": json.dumps(options), "trial": f"{system} {bucket} {coding} {seed}"}
    return [row | own | {"bits_per_component": bits} for row in found]


def table(options: dict[str, int] | None = None, **more: Any) -> pd.DataFrame:
    options = CUT if options is None else options
    parameters = workloads.create("vgg-qsgd", options=options).parameters
    found = [row for seed in (1, 2, 3) for row in trial("allreduce", seed)]
    for system in (LINEAR, WHOLE):
        for bucket in BUCKETS:
            given = {"last": LOSS[system], "accuracy": ACCURACY[system]} | more
            found += [row for seed in (1, 2, 3) for row in rows(system, seed, bucket, **given)]
            bits = FLOATS[system][bucket] * 32 / parameters
            coded = rows(system, 1, bucket, coding="elias", bits=bits)
            found += [row | {"epochs_declared": 1} for row in coded]
    whole = {"workload": "vgg-qsgd", "workload_options": json.dumps(options), "parameters": float(parameters)}
    return pd.DataFrame([row | whole for row in found])


def built(frame: pd.DataFrame) -> Content:
    content = qsgd2016_figure1b.build(frame)
    assert content is not None
    return content


def verdicts(claims: list[Claim]) -> list[str]:
    return [str(claim.verdict) for claim in claims]


def test_little_lost_by_linear_layers_and_more_by_all_agrees():
    assert verdicts(list(built(table()).claims))[:12] == ["agree"] * 12


def test_much_lost_by_linear_layers_and_nothing_by_all_disagrees():
    assert verdicts(list(built(table(last=0.7, accuracy=0.7)).claims))[:6] == ["disagree"] * 6
    assert verdicts(list(built(table(last=0.4, accuracy=0.9)).claims))[6:12] == ["disagree"] * 6


def test_the_papers_floats_are_not_tested_on_a_narrower_model_but_the_lemma_is():
    claims = list(built(table()).claims)[12:]
    assert verdicts(claims[::2]) == ["not tested"] * 6
    assert "22,543,050 parameters, and this model was cut to 121,378" in claims[0].why
    assert "not tested" not in verdicts(claims[1::2])


def test_the_papers_floats_are_judged_on_the_model_that_is_not_cut():
    claims = list(built(table(options={})).claims)[12:]
    assert verdicts(claims[::2]) == ["agree"] * 6


@pytest.mark.parametrize("options", [{}, CUT])
def test_what_is_sent_as_it_is_are_the_convolutions(options):
    (training, *_) = trainings(table(options))
    layers = workloads.create("vgg-qsgd", options=options).layers
    linear = {layer.name.rpartition(".")[0] for layer in layers if len(layer.shape) == 2}
    kept = sum(layer.stop - layer.start for layer in layers if layer.name.rpartition(".")[0] not in linear)
    assert qsgd2016_figure1b.exact(training) == kept


def test_the_lemma_with_exact_convolutions_is_near_the_papers_numbers():
    found = [by_lemma(qsgd2016_figure1b.PARAMETERS, bucket, exact=998_080) for bucket in BUCKETS]
    assert found == pytest.approx([1.5e6, 1.3e6, 1.2e6], rel=0.1)


def test_buckets_of_the_codec_within_are_what_systems_are_named_by():
    names = {system.label for training in trainings(table()) for system in training.systems}
    assert {"allreduce by-layer bucket=1024 coding=fixed", "qsgd qsgd bucket=256 coding=elias"} <= names


def test_another_workloads_training_has_no_such_page():
    assert qsgd2016_figure1b.build(table().assign(workload="resnet20")) is None
    assert qsgd2016_figure1b.build(pd.DataFrame()) is None
