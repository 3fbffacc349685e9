"""What is particular to topk, gtopk, randomk and error-feedback: what is sent, and that nothing is lost."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from algorithms import lockstep, registry
from algorithms.algorithm import Unmetered, Work, Worker
from algorithms.codecs.codec import create_codec

Vectors = list[torch.Tensor]


def workers_of(
    name: str, workers: int, parameters: int, codec: str = "fp32", seed: int = 1, **options: Any
) -> list[Any]:
    return [
        registry.create(
            name,
            Worker(
                rank=rank,
                workers=workers,
                parameters=parameters,
                codec=create_codec(codec),
                seed=seed,
                options=options,
            ),
        )
        for rank in range(workers)
    ]


@pytest.mark.parametrize(("name", "cost"), [("topk", "topk"), ("gtopk", "topk"), ("randomk", "randomk")])
def test_selecting_is_charged_as_the_codec_that_selects(name: str, cost: str) -> None:
    ledger = Ledger()
    worker = Worker(rank=0, workers=2, parameters=12, codec=create_codec("fp32"), meter=ledger, options={"k": 2})
    step = registry.create(name, worker).step(torch.zeros(12), torch.ones(12), 1, 1.0)
    next(step)
    assert [charge for charge in ledger.charged if charge[0] is Work.ENCODE] == [(Work.ENCODE, 48, cost)]


class Ledger(Unmetered):
    """Remembers what was charged."""

    def __init__(self) -> None:
        self.charged: list[tuple[Work, int, str]] = []

    def work(self, kind: Work, size_bytes: int, codec: str = "") -> AbstractContextManager[None]:
        self.charged.append((kind, size_bytes, codec))
        return nullcontext()


def update(algorithms: list[Any], gradients: Vectors, t: int = 1, rate: float = 1.0) -> torch.Tensor:
    """What one step takes off x, at all workers alike."""
    xs = [torch.zeros_like(gradient) for gradient in gradients]
    lockstep.step_all(algorithms, xs, gradients, t, rate)
    assert all(torch.equal(x, xs[0]) for x in xs)
    return -xs[0]


def whole_numbers(workers: int, parameters: int, seed: int) -> Vectors:
    """Gradients whose sums float32 has exactly; some are zero, many are equal in magnitude."""
    draws = torch.Generator().manual_seed(seed)
    return [torch.randint(-9, 10, (parameters,), generator=draws).float() for _ in range(workers)]


@given(
    name=st.sampled_from(["topk", "gtopk"]), workers=st.integers(2, 9), k=st.integers(1, 12), seed=st.integers(0, 1000)
)
def test_mass_is_conserved_exactly(name, workers, k, seed):
    """sum_i acc_i = g + sum_i residual_i, three steps long, for every number of workers."""
    algorithms = workers_of(name, workers, 12, k=k, momentum=0.0)
    residual = torch.zeros(12)
    for t in (1, 2, 3):
        gradients = whole_numbers(workers, 12, seed + t)
        accumulated = residual + torch.stack(gradients).sum(0)
        sent = (update(algorithms, gradients, t) * workers).round()
        residual = torch.stack([algorithm.residual.values for algorithm in algorithms]).sum(0)
        assert torch.equal(sent + residual, accumulated)
        assert name == "topk" or sent.count_nonzero() <= k


@given(workers=st.integers(2, 9), seed=st.integers(0, 1000))
def test_what_each_worker_sends_and_keeps_is_what_it_accumulated(workers, seed):
    """A component is kept whole, or it is gone from the residual and in the sum."""
    gradients = whole_numbers(workers, 12, seed)
    algorithms = workers_of("gtopk", workers, 12, k=3, momentum=0.0)
    sent = (update(algorithms, gradients) * workers).round()
    gone = torch.zeros(12)
    for algorithm, gradient in zip(algorithms, gradients, strict=True):
        was_sent = algorithm.residual.values != gradient
        assert (algorithm.residual.values[was_sent] == 0).all()
        assert was_sent.sum() <= 3
        gone += gradient * was_sent
    assert torch.equal(gone, sent)


def test_a_value_that_an_inner_merge_drops_returns_though_another_at_its_index_survives():
    gradients = [torch.zeros(3) for _ in range(4)]
    gradients[0][0], gradients[1][1], gradients[2][0], gradients[3][1] = 3.0, -5.0, -10.0, 1.0
    algorithms = workers_of("gtopk", 4, 3, k=1, momentum=0.0)
    assert (update(algorithms, gradients) * 4).tolist() == [-10.0, 0.0, 0.0]
    kept = [algorithm.residual.values.tolist() for algorithm in algorithms]
    assert kept == [[3.0, 0.0, 0.0], [0.0, -5.0, 0.0], [0.0, 0.0, 0.0], [0.0, 1.0, 0.0]]


@pytest.mark.parametrize("name", ["topk", "gtopk"])
def test_the_learning_rate_is_inside_the_residual(name):
    algorithms = workers_of(name, 2, 3, k=1, momentum=0.0)
    update(algorithms, [torch.tensor([4.0, 2.0, 0.0])] * 2, t=1, rate=0.5)
    assert update(algorithms, [torch.zeros(3)] * 2, t=2, rate=0.125).tolist() == [0.0, 1.0, 0.0]


@pytest.mark.parametrize("name", ["topk", "gtopk"])
def test_momentum_is_applied_to_what_was_aggregated(name):
    algorithms = workers_of(name, 2, 3, k=1)
    update(algorithms, [torch.tensor([4.0, 2.0, 0.0])] * 2, t=1)
    assert torch.allclose(update(algorithms, [torch.zeros(3)] * 2, t=2), torch.tensor([0.9 * 4, 2.0, 0.0]))


def test_bytes_follow_the_formulas():
    """k = 9: an entry is 8 bytes, the bits of nine entries are 2."""
    gtopk = workers_of("gtopk", 9, 100, k=9)
    assert gtopk[0].declared_bytes(1) == 4 * (72 + 2)  # the folded worker 8, and 1, 2, 4
    assert gtopk[4].declared_bytes(1) == 72 + 2 * (72 + 2)
    assert gtopk[8].declared_bytes(1) == 72
    assert workers_of("topk", 9, 100, k=9)[3].declared_bytes(1) == 8 * 72
    assert workers_of("randomk", 3, 100, k=9)[0].declared_bytes(1) == 4 * 9 * 4 // 3
    assert workers_of("randomk", 3, 100, k=9, shared_seed=False)[0].declared_bytes(1) == 2 * 72
    assert workers_of("error-feedback", 3, 100, codec="qsgd")[0].declared_bytes(1) == 2 * (16 + 4 + 100)


def test_density_warms_up():
    options: dict[str, Any] = {"density": 0.01, "warmup_steps": 2, "warmup_densities": [0.25, 0.05]}
    sizes = [workers_of("topk", 2, 1000, **options)[0].declared_bytes(t) // 8 for t in range(1, 7)]
    assert sizes == [250, 250, 50, 50, 10, 10]
    assert workers_of("topk", 2, 1000)[0].declared_bytes(1) == 8  # 0.001, without a warm-up
    assert workers_of("topk", 2, 1000, warmup_steps=1)[0].declared_bytes(1) == 8 * 4  # 0.004


@pytest.mark.parametrize("shared_seed", [True, False])
def test_random_selection_is_unbiased(shared_seed):
    """The mean over 300 seeds is off by what a variance of N/k - 1 times |g|^2 predicts."""
    gradient = torch.randn(40, generator=torch.Generator().manual_seed(1))
    draws = torch.stack(
        [
            update(workers_of("randomk", 2, 40, seed=seed, k=10, shared_seed=shared_seed), [gradient] * 2)
            for seed in range(300)
        ]
    )
    independent = 1 if shared_seed else 2
    expected = (40 / 10 - 1) * gradient.square().sum() / independent
    assert 0.8 < (draws - gradient).square().sum(dim=1).mean() / expected < 1.2
    assert 0.3 < 300 * (draws.mean(dim=0) - gradient).square().sum() / expected < 2
    assert all(draw.count_nonzero() == 10 for draw in draws) or not shared_seed


@pytest.mark.parametrize("codec", ["fp32", "qsgd"])
def test_error_feedback_keeps_what_codes_lack(codec):
    """All that was sent, and the residuals: the sum of the gradients, to float32's rounding of values below 16."""
    algorithms = workers_of("error-feedback", 3, 33, codec=codec)
    total, sent = torch.zeros(33, dtype=torch.float64), torch.zeros(33, dtype=torch.float64)
    for t in range(1, 6):
        gradients = [torch.randn(33, generator=torch.Generator().manual_seed(9 * t + rank)) for rank in range(3)]
        total += torch.stack(gradients).double().sum(0)
        sent += 3 * update(algorithms, gradients, t).double()
        left = torch.stack([algorithm.residual.values for algorithm in algorithms])
        assert torch.allclose(sent + left.double().sum(0), total, rtol=0, atol=3 * 5 * t * 16 * 2.0**-24)
        assert bool(left.any()) == (codec == "qsgd")


@pytest.mark.parametrize(
    ("name", "codec", "options", "message"),
    [
        ("topk", "fp32", {"k": 101}, "option k is 101, must be at most the number of parameters, 100"),
        ("gtopk", "fp32", {"k": 0}, "option k is 0, but it should be greater than or equal to 1"),
        ("randomk", "fp32", {"k": 101}, "option k is 101, must be at most"),
        ("gtopk", "fp32", {"density": 0.0}, "option density is 0.0, but it should be greater than 0"),
        ("gtopk", "fp32", {"warmup_densities": [2.0]}, "option warmup_densities is .*, but it should be less than"),
        ("gtopk", "qsgd", {}, "algorithm gtopk: codec is qsgd, must be an exact one"),
        ("randomk", "fp32", {"warmup_steps": 1}, "option warmup_steps is 1, but the options are"),
    ],
)
def test_mistakes_are_named(name, codec, options, message):
    with pytest.raises(ValueError, match=message):
        workers_of(name, 2, 100, codec, **options)


@pytest.mark.parametrize("name", ["topk", "gtopk", "error-feedback"])
def test_what_overflows_as_it_accumulates_is_named(name):
    algorithm = workers_of(name, 2, 100)[1]
    gradient = torch.full((100,), 3e38)
    with pytest.raises(ValueError, match="accumulated gradient of worker 1 at step 1 is inf in component 0"):
        next(algorithm.step(torch.zeros(100), gradient, 1, 2.0))
