"""terngrad and onebit: what is particular to them, beside their references."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from algorithms import lockstep, registry
from algorithms.algorithm import Algorithm, Layer, Worker
from algorithms.codecs.codec import create_codec

LAYERS = (Layer("a.weight", 0, 800, (10, 80)), Layer("b.weight", 800, 1000, (200,)))


def workers_of(name: str, count: int, **codec: Any) -> list[Algorithm]:
    return [
        registry.create(
            name,
            Worker(
                rank=rank,
                workers=count,
                parameters=1000,
                layers=LAYERS,
                codec=create_codec(name, codec).on(LAYERS),
            ),
        )
        for rank in range(count)
    ]


def gradients(count: int, seed: int = 0) -> list[Tensor]:
    draws = torch.Generator().manual_seed(seed)
    made = torch.randn(count, 1000, generator=draws)
    made[:, 800:] *= 50  # another scale
    return list(made)


@pytest.mark.parametrize("count", [2, 3, 8])
def test_the_mean_of_terngrad_has_levels_of_one_scale(count: int) -> None:
    """S, 2.5 sigma of the worker whose layer varies most, over n: whole numbers of it, the same at all workers."""
    algorithms, made = workers_of("terngrad", count), gradients(count)
    xs = [torch.zeros(1000) for _ in made]
    traffic = lockstep.step_all(algorithms, xs, made, t=1, rate=1.0)
    assert all(torch.equal(x, xs[0]) for x in xs)
    for layer in LAYERS:
        parts = torch.stack(made)[:, layer.start : layer.stop]
        sigmas = parts.square().mean(dim=1).sqrt()
        shared = torch.minimum(2.5 * sigmas, parts.abs().amax(dim=1)).max()
        levels = -xs[0][layer.start : layer.stop] * count / shared
        assert torch.allclose(levels, levels.round(), atol=1e-3)
        assert 1 <= levels.abs().max() <= count + 1e-3
    # Two layers' scales, a fifth of a byte for each component of the others' chunks, sums of the others'.
    bits = math.ceil(math.log2(2 * count + 1))
    expected = 8 * (count - 1) + (count - 1) / count * (200 + 1000 * bits / 8)
    assert max(traffic.handed_bytes) == pytest.approx(expected, abs=45 * count)


def test_terngrad_announces_its_sum_as_it_does_its_codes() -> None:
    """Of 3 workers each codes three chunks, and adds up one."""
    algorithms, made = workers_of("terngrad", 3), gradients(3)
    announced: list[int] = []
    for one in algorithms:
        aggregation: Any = one
        note = replace(one.worker, announce=lambda payload: announced.append(payload.nbytes))
        aggregation.aggregation.worker = aggregation.coder._worker = note
    lockstep.step_all(algorithms, [torch.zeros(1000) for _ in made], made, t=1, rate=1.0)
    sums = math.ceil(334 * 3 / 8)  # a value from -3 to 3 for each component of a chunk
    assert len(announced) == 3 * (3 + 1)
    assert sum(size >= sums for size in announced) == 3


def test_terngrad_is_unbiased_where_nothing_is_clipped() -> None:
    made = gradients(3)
    total, draws = torch.zeros(1000), 200
    for seed in range(draws):
        algorithms = workers_of("terngrad", 3, clip=None)
        xs = [torch.zeros(1000) for _ in made]
        lockstep.step_all(algorithms, xs, made, t=1 + seed, rate=1.0)
        total -= xs[0]
    scale = torch.cat(
        [torch.stack(made)[:, one.start : one.stop].abs().max().expand(one.stop - one.start) for one in LAYERS]
    )
    deviation = scale / math.sqrt(4 * 3 * draws)  # of a digit at most 1/2
    assert bool(((total / draws - torch.stack(made).mean(dim=0)).abs() < 6 * deviation).all())


@pytest.mark.parametrize("count", [2, 3, 7])
def test_onebit_loses_nothing(count: int) -> None:
    """What all gradients add up to was applied, or is in one of the residuals."""
    algorithms, xs = workers_of("onebit", count), [torch.zeros(1000) for _ in range(count)]
    total = torch.zeros(1000)
    for t in range(1, 6):
        made = gradients(count, t)
        lockstep.step_all(algorithms, xs, made, t, rate=1.0)
        total += torch.stack(made).mean(dim=0)
    kept: list[Any] = list(algorithms)
    residuals = torch.stack([one.residual.values for one in kept]).mean(dim=0)
    left = torch.cat([one.aggregation.left for one in kept])
    assert torch.allclose(-xs[0] + residuals + left, total, atol=1e-3)
    assert all(torch.equal(x, xs[0]) for x in xs)
    assert float(left.norm()) > 0
