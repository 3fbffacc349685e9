"""What is particular to the decentralized algorithms: invariants, convergence, advice, refusals."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
import torch

from algorithms import lockstep, registry
from algorithms.algorithm import Exchange, Layer, Step, Worker
from algorithms.choco_sgd import ChocoSgd
from algorithms.codecs.codec import create_codec
from algorithms.dcd_psgd import DcdPsgd
from algorithms.ecd_psgd import EcdPsgd
from algorithms.graphs import admissible_alpha, consensus_step, create_graph

STEPS = 120  # after which gossip is nearer to the optimum than the test's tolerance


def workers_of(
    name: str, workers: int, parameters: int, codec: str = "qsgd", graph_name: str = "ring", **codec_options: Any
) -> list[Any]:
    graph = create_graph(graph_name, workers)
    layers = (Layer("conv.weight", 0, 4, (2, 2)), Layer("fc.bias", 4, parameters, (parameters - 4,)))
    return [
        registry.create(
            name,
            Worker(
                rank=rank,
                workers=workers,
                parameters=parameters,
                codec=create_codec(codec, codec_options),
                graph=graph,
                layers=layers,
            ),
        )
        for rank in range(workers)
    ]


def test_replicas_and_estimates_equal_their_owners():
    for name in ("dcd-psgd", "ecd-psgd", "choco-sgd"):
        algorithms = workers_of(name, 5, 33)
        xs = [torch.zeros(33) for _ in algorithms]
        for t in range(1, 6):
            draws = torch.Generator().manual_seed(t)
            lockstep.step_all(algorithms, xs, [torch.randn(33, generator=draws) for _ in xs], t, 0.1)
        for algorithm in algorithms:
            for peer in algorithm.neighbours:
                if isinstance(algorithm, DcdPsgd):
                    assert torch.equal(algorithm.replicas[peer], xs[peer])
                if isinstance(algorithm, EcdPsgd):
                    assert torch.equal(algorithm.estimates[peer], algorithms[peer].estimates[peer])
                if isinstance(algorithm, ChocoSgd):
                    assert torch.equal(algorithm.replicas[peer], algorithms[peer].replicas[peer])


@cache
def distance_uncompressed(name: str) -> tuple[float, float]:
    return distance_after(name, "fp32", STEPS)


def distance_after(name: str, codec: str, steps: int, **codec_options: Any) -> tuple[float, float]:
    """How far the workers' mean is from the optimum of sum_i |x - target_i|^2 / 2, and they from it."""
    draws = torch.Generator().manual_seed(1)
    targets = torch.randn(8, 40, generator=draws)
    algorithms = workers_of(name, 8, 40, codec, **codec_options)
    xs = [torch.zeros(40) for _ in algorithms]
    for t in range(1, steps + 1):
        rate = 0.5 / (1 + t / 20)
        gradients = [x - target for x, target in zip(xs, targets, strict=True)]
        lockstep.step_all(algorithms, xs, gradients, t, rate)
    optimum = targets.mean(dim=0)
    mean = torch.stack(xs).mean(dim=0)
    return float((mean - optimum).norm()), float((torch.stack(xs) - mean).norm(dim=1).max())


@pytest.mark.parametrize(
    ("name", "uncompressed", "codec", "options"),
    [
        ("dcd-psgd", "d-psgd", "qsgd", {}),
        ("ecd-psgd", "d-psgd", "qsgd", {}),
        ("ecd-psgd", "d-psgd", "grid", {"step": 2.0**-5}),
        (
            "choco-sgd",
            "choco-sgd",
            "qsgd",
            {"norm": "l2", "bucket": 16},
        ),  # a consensus of 1/2 mixes half as fast as d-psgd
        ("deepsqueeze", "deepsqueeze", "qsgd", {"norm": "l2", "bucket": 16}),
    ],
)
def test_converges_as_uncompressed_gossip_does(name, uncompressed, codec, options):
    exact_distance, exact_spread = distance_uncompressed(uncompressed)
    distance, spread = distance_after(name, codec, STEPS, **options)
    assert distance < exact_distance + 0.2  # the optimum is at a distance of 2.2 from the start
    assert spread < exact_spread + 0.2


def test_coarse_differences_do_not_converge():
    """What DCD's bound on alpha is about: at 2 bits in one bucket, alpha is far above 0.05 on a ring of 8."""
    distance, spread = distance_after("dcd-psgd", "qsgd", 50, bits=2, norm="l2", bucket="vector")
    assert not distance + spread < 10


def test_extrapolation_keeps_its_digits_late():
    """x' = x + 1e-3 at t = 1e5 arrives in z, where the printed form would lose it to cancellation."""
    (algorithm, other) = workers_of("ecd-psgd", 2, 5, codec="fp32")
    xs = [torch.ones(5), torch.ones(5)]
    for _ in range(2):
        lockstep.step_all([algorithm, other], xs, [torch.full((5,), 1e-6)] * 2, t=100_000, rate=1.0)
    z = 1 - 1e-6 * (100_001 / 2)  # of the first of the two steps
    moved = 1 + (2 / 100_001) * (z - 1)
    first = algorithm.estimates[1].double().numpy()
    assert np.abs(first - (moved - 1e-6)).max() < 3e-7


def test_advice_names_the_bound():
    fine = workers_of("dcd-psgd", 2, 1000)[0]
    coarse = workers_of("dcd-psgd", 8, 1000, bits=4)[0]
    assert fine.advice() == ()
    assert "alpha < 0.0518" in coarse.advice()[0]


def test_the_residual_of_deepsqueeze_is_what_was_not_sent():
    """sent + residual = x - rate g + the residual before, but for float32's rounding of values below 8."""
    algorithms = workers_of("deepsqueeze", 3, 33, bits=3)
    xs = [torch.zeros(33) for _ in algorithms]
    for t in range(1, 6):
        gradients = [torch.randn(33, generator=torch.Generator().manual_seed(9 * t + rank)) for rank in range(3)]
        accumulated = [
            x.double() - 0.5 * gradient.double() + algorithm.residual.double()
            for x, gradient, algorithm in zip(xs, gradients, algorithms, strict=True)
        ]
        sent = [torch.empty(33) for _ in algorithms]
        steps = [algorithm.step(*given, t, 0.5) for algorithm, *given in zip(algorithms, xs, gradients, strict=True)]
        lockstep.run(decoding_what_is_sent(step, out) for step, out in zip(steps, sent, strict=True))
        for algorithm, total, out in zip(algorithms, accumulated, sent, strict=True):
            assert torch.allclose(out.double() + algorithm.residual, total, rtol=0, atol=4 * 8 * 2.0**-24)
            assert algorithm.residual.abs().max() > 0


def decoding_what_is_sent(step: Step, out: torch.Tensor) -> Step:
    """The step, its first message decoded into `out`."""
    operation = next(step)
    assert isinstance(operation, Exchange)
    create_codec("qsgd", {"bits": 3}).decode(operation.sends[0].data, out)
    sizes = yield operation
    with pytest.raises(StopIteration):
        step.send(sizes)


def test_theory_of_choco_is_of_codecs_that_keep_more_than_they_lose():
    assert workers_of("choco-sgd", 2, 5)[0].advice() == ()
    assert "alpha < 1, but codec qsgd guarantees only" in workers_of("choco-sgd", 2, 1000, bits=3)[0].advice()[0]
    assert "alpha < 1, but codec qsgd guarantees only" in workers_of("deepsqueeze", 2, 1000, bits=3)[0].advice()[0]
    with pytest.raises(ValueError, match="option consensus is 'theory', which is of codec noise below 1"):
        registry.create(
            "choco-sgd",
            Worker(
                rank=0,
                workers=2,
                parameters=1000,
                codec=create_codec("qsgd", {"bits": 3}),
                graph=create_graph("ring", 2),
                options={"consensus": "theory"},
            ),
        )


def test_theory_of_choco_on_a_pair():
    """Gap 1, |I - W| = 1, no noise: 1 / (16 + 1 + 4 + 2 - 8)."""
    assert consensus_step(create_graph("ring", 2), 1.0) == pytest.approx(1 / 15)


@pytest.mark.parametrize("graph", ["ring", "torus", "star", "tree", "complete"])
def test_advice_compares_with_the_bound_of_any_graph(graph):
    admitted = admissible_alpha(create_graph(graph, 8))
    for bits in (4, 8):
        algorithm = workers_of("dcd-psgd", 8, 100, graph_name=graph, bits=bits, bucket=16)[0]
        too_coarse = algorithm.worker.codec.noise_bound(100) >= admitted
        assert bool(algorithm.advice()) == too_coarse
        if too_coarse:
            gap = algorithm.graph.spectral_gap
            assert (
                f"dcd-psgd on graph {graph} of 8, whose spectral gap is {gap:.3g}, is proved to converge for codec "
                f"noise alpha < {admitted:.3g}, but" in (algorithm.advice()[0])
            )


def test_naive_says_what_it_is_for():
    assert "naive with codec qsgd does not converge" in workers_of("naive", 2, 5)[0].advice()[0]
    assert workers_of("naive", 2, 5, codec="fp32")[0].advice() == ()


def test_naive_leaves_the_optimum_where_coded_differences_stay():
    """Tang 2018, figure 1: what is rounded is the model itself, however small the step."""
    optimum = torch.randn(40, generator=torch.Generator().manual_seed(1))
    for name, stays in (("naive", False), ("dcd-psgd", True)):
        algorithms = workers_of(name, 8, 40, bits=4)
        xs = [optimum.clone() for _ in algorithms]
        for t in range(1, 31):
            lockstep.step_all(algorithms, xs, [x - optimum for x in xs], t, rate=1e-3)
        distance = float((torch.stack(xs).mean(dim=0) - optimum).norm())
        assert (distance < 1e-5) == stays
        assert stays or distance > 0.1


@pytest.mark.parametrize("graph", ["exponential", "one-peer-exponential"])
@pytest.mark.parametrize("name", ["dcd-psgd", "ecd-psgd", "choco-sgd", "deepsqueeze"])
def test_what_keeps_replicas_refuses_graphs_that_are_directed_or_change(name, graph):
    with pytest.raises(ValueError, match=f"algorithm {name}: graph is {graph}, which is directed or changes"):
        workers_of(name, 5, 9, graph_name=graph)


def test_one_message_a_step_on_a_graph_that_changes():
    algorithms = workers_of("d-psgd", 8, 9, codec="fp32", graph_name="one-peer-exponential")
    assert algorithms[0].period == 3
    xs = [torch.full((9,), float(rank)) for rank in range(8)]
    for t in (1, 2, 3):
        traffic = lockstep.step_all(algorithms, xs, [torch.zeros(9)] * 8, t, 0.1)
        assert traffic.messages == (1,) * 8
    assert all(torch.equal(x, torch.full((9,), 3.5)) for x in xs)


def test_ecd_refuses_a_step_before_the_first():
    algorithm = workers_of("ecd-psgd", 2, 5)[0]
    with pytest.raises(ValueError, match="step t is 0, must be at least 1"):
        next(algorithm.step(torch.zeros(5), torch.zeros(5), 0, 0.1))


def test_d_psgd_refuses_a_lossy_codec():
    with pytest.raises(ValueError, match="codec is qsgd, must be an exact one"):
        workers_of("d-psgd", 2, 5)


def test_a_graph_that_does_not_fit_is_refused():
    worker = Worker(rank=0, workers=4, parameters=5, codec=create_codec("fp32"), graph=create_graph("ring", 3))
    with pytest.raises(ValueError, match="graph is ring of 3, must have 4 workers"):
        registry.create("d-psgd", worker)


@pytest.mark.parametrize("name", ["d-psgd", "dcd-psgd"])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_gradient_that_is_not_finite_names_tensor_worker_and_step(name, value):
    algorithms = workers_of(name, 3, 9, codec="fp32")
    gradient = torch.zeros(9)
    gradient[6] = value
    with pytest.raises(ValueError, match=f"gradient of worker 1 at step 3 is {value} in tensor fc.bias"):
        next(algorithms[1].step(torch.zeros(9), gradient, 3, 0.1))


def test_a_model_that_overflows_is_named():
    algorithm = workers_of("d-psgd", 3, 9, codec="fp32")[0]
    x = torch.zeros(9)
    x[2] = float("inf")
    with pytest.raises(ValueError, match=r"model of worker 0 at step 1 is inf in tensor conv\.weight"):
        next(algorithm.step(x, torch.zeros(9), 1, 0.1))


def test_gradients_are_not_written():
    algorithms = workers_of("ecd-psgd", 3, 9)
    gradients = [torch.ones(9) for _ in algorithms]
    lockstep.step_all(algorithms, [torch.zeros(9) for _ in algorithms], gradients, 1, 0.1)
    assert all(torch.equal(gradient, torch.ones(9)) for gradient in gradients)
