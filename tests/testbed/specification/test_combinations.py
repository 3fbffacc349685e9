"""Algorithms with codecs, graphs and options: what cannot run is refused before anything starts, in one sentence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from algorithms import lockstep, registry
from algorithms.algorithm import ALGORITHMS, Layer, Worker
from algorithms.codecs.codec import CODECS, create_codec
from algorithms.graphs import create_graph
from testbed.cell import Cell
from testbed.errors import UserError
from testbed.specification import Plan, load_plan

EXACT = ("d-psgd", "psgd", "rsgd", "topk", "gtopk", "randomk")  # code nothing, or select by themselves
OWN = ("qsgd", "terngrad", "onebit")  # for the codec of their name
WORKERS, LAYERS = 3, (Layer("fc.weight", 0, 60, (6, 10)), Layer("fc.bias", 60, 101, (41,)))


def load(folder: Path, **keys: str) -> Plan:
    base = {"bandwidth": "5 Mbit/s", "latency": "1 ms", "workers": str(WORKERS)}
    path = folder / "trial.yaml"
    path.write_text("".join(f"{key}: {value}\n" for key, value in (base | keys).items()))
    return load_plan(path, lambda: "virtual")


def run(cell: Cell, steps: int) -> list[torch.Tensor]:
    """The models after some steps of a small model."""
    algorithms = [
        registry.create(
            cell.algorithm,
            Worker(
                rank=rank,
                workers=WORKERS,
                parameters=LAYERS[-1].stop,
                layers=LAYERS,
                codec=create_codec(cell.codec, cell.codec_options).on(LAYERS),
                graph=create_graph(cell.graph, WORKERS),
                options=cell.algorithm_options,
            ),
        )
        for rank in range(WORKERS)
    ]
    xs = [torch.zeros(LAYERS[-1].stop) for _ in algorithms]
    for t in range(1, steps + 1):
        gradients = [torch.linspace(-1, 1, LAYERS[-1].stop).roll(rank + t) for rank in range(WORKERS)]
        traffic = lockstep.step_all(algorithms, xs, gradients, t, 0.1)
        assert traffic.handed_bytes == tuple(algorithm.declared_bytes(t) for algorithm in algorithms)
    return xs


@pytest.mark.parametrize("codec", CODECS.names())
@pytest.mark.parametrize("name", ALGORITHMS.names())
def test_every_pair_runs_or_is_refused_when_it_is_planned(tmp_path: Path, name: str, codec: str) -> None:
    refused = codec != name if name in OWN else name in EXACT and not create_codec(codec).exact
    period = ", period: 2" if "period" in ALGORITHMS.find(name).Options.model_fields else ""
    algorithm = f"{{name: {name}, codec: {codec}{period}}}"
    if refused:
        with pytest.raises(UserError, match=rf"algorithm {name}: codec is {codec}, must be .*; ") as caught:
            load(tmp_path, algorithm=algorithm)
        assert "\n" not in str(caught.value)
        return
    (cell,) = load(tmp_path, algorithm=algorithm).cells
    assert all(bool(torch.isfinite(x).all()) for x in run(cell, steps=2))


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"algorithm": "dcd-psgd", "graph": "exponential", "workers": "5"}, "dcd-psgd: graph is exponential"),
        ({"algorithm": "choco-sgd", "graph": "one-peer-exponential"}, "which is directed or changes from step to step"),
        ({"algorithm": "d-psgd", "graph": "torus"}, "graph torus needs a number of workers with two factors above 1"),
        ({"algorithm": "{name: gtopk, density: 1.5}"}, "algorithm gtopk: option density is 1.5, but it should be less"),
        ({"algorithm": "{name: topk, density: 0}"}, "algorithm topk: option density is 0"),
        ({"algorithm": "{name: gtopk, k: 300000}"}, "option k is 300000, must be at most"),
        ({"algorithm": "{name: psgd, period: 0}"}, "algorithm psgd: option period is 0"),
        ({"algorithm": "{name: rsgd, period: 300000}"}, "algorithm rsgd: option period is 300000"),
        ({"algorithm": "{name: parameter-server, root: 3}"}, "algorithm parameter-server: option root is 3"),
        ({"algorithm": "{name: allreduce, aggregation: allgather}"}, "'allgather', but it is for lossy"),
        ({"algorithm": "{name: allreduce, exchange: ring, codec: qsgd}"}, "'ring', but it is for exact"),
        ({"algorithm": "{name: choco-sgd, consensus: theory, codec: {name: qsgd, bits: 2}}"}, "of codec noise below 1"),
        ({"algorithm": "{name: terngrad, codec: {name: terngrad, bucket: 512}}"}, "option bucket is 512, but"),
        ({"algorithm": "allreduce", "codec": "{name: qsgd, levels: 0}"}, "codec qsgd: option levels is 0"),
        ({"algorithm": "allreduce", "codec": "{name: qsgd, q: 0}"}, "codec qsgd: option q is 0"),
        ({"algorithm": "allreduce", "codec": "{name: qsgd, q: 1.0e-9, bucket: vector}"}, "option q 1e-09 takes"),
        ({"algorithm": "allreduce", "codec": "{name: topk, k: 100000}"}, "option k is 100000, must be at most"),
        ({"algorithm": "allreduce", "codec": "{name: topk, density: 2}"}, "codec topk: option density is 2"),
        ({"algorithm": "allreduce", "codec": "{name: by-layer, layers: [none*]}"}, "option layers is ['none*']"),
    ],
)  # fmt: skip
def test_what_cannot_run_is_refused_when_it_is_planned(tmp_path: Path, keys: dict[str, str], words: str) -> None:
    with pytest.raises(UserError) as caught:
        load(tmp_path, **keys)
    assert words in str(caught.value) and "trial.yaml" in str(caught.value) and "\n" not in str(caught.value)


def test_what_theory_does_not_cover_is_a_warning_once(tmp_path: Path) -> None:
    coarse: dict[str, Any] = {"algorithm": "{name: dcd-psgd, codec: {name: qsgd, bits: 4}}", "workers": "8"}
    (sentence,) = load(tmp_path, **coarse, seed="[1, 2]").warnings
    assert (
        "on graph ring of 8, whose spectral gap is 0.195, is proved to converge for codec noise alpha < 0.0518"
        in sentence
    )
    assert load(tmp_path, **coarse | {"algorithm": "{name: dcd-psgd, codec: {name: qsgd, bits: 16}}"}).warnings == []
    biased = load(tmp_path, **coarse | {"algorithm": "{name: dcd-psgd, codec: sign}"}).warnings
    assert "codec sign guarantees only 1" in biased[0]
