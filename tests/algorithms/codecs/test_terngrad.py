from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from algorithms.algorithm import Layer
from algorithms.codecs.codec import Codec, PayloadError, ScaledCodec, create_codec
from algorithms.codecs.terngrad import Terngrad

LAYERS = (Layer("a.weight", 0, 1000, (10, 100)), Layer("b.weight", 1000, 1100, (100,)))


def draws(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def coded(codec: Codec, vector: Tensor, seed: int = 0) -> Tensor:
    out = torch.empty_like(vector)
    codec.decode(codec.encode(vector, draws(seed)), out)
    return out


def terngrad(**options: object) -> ScaledCodec:
    codec = create_codec("terngrad", options).on(LAYERS)
    assert isinstance(codec, ScaledCodec)
    return codec


def gradient(seed: int = 1) -> Tensor:
    vector = torch.randn(1100, generator=draws(seed))
    return torch.cat([vector[:1000] * 10, vector[1000:] / 10])


def test_every_layer_has_three_values_and_is_clipped():
    vector = gradient()
    result = coded(terngrad(), vector)
    for layer in LAYERS:
        part = vector[layer.start : layer.stop]
        scale = min(2.5 * float(part.square().mean().sqrt()), float(part.abs().max()))
        found = result[layer.start : layer.stop]
        assert found.unique().tolist() == pytest.approx([-scale, 0, scale])
        assert bool((found * part >= 0).all())


def test_the_mean_of_many_is_the_clipped_gradient():
    vector = gradient()
    limit = torch.cat(
        [part.square().mean().sqrt().mul(2.5).expand(len(part)) for part in (vector[:1000], vector[1000:])]
    )
    clipped = vector.clamp(-limit, limit)
    codec = terngrad()
    mean = torch.stack([coded(codec, vector, seed) for seed in range(400)]).mean(dim=0)
    deviation = (clipped.abs() * (limit - clipped.abs()) / 400).clamp(min=0).sqrt()
    assert bool((mean - clipped).abs().le(6 * deviation + limit * 1e-4).all())


def test_bytes_are_a_fifth_of_the_components():
    vector = gradient()
    assert terngrad().encode(vector, draws()).nbytes == 16 + 4 * 2 + 220 == terngrad().payload_bytes(1100)


def test_with_shared_scales_the_sum_has_few_levels():
    gradients = [gradient(seed) for seed in range(3)]
    codecs = [terngrad() for _ in gradients]
    shared = torch.stack([codec.scales(each) for codec, each in zip(codecs, gradients, strict=True)]).amax(dim=0)
    total = torch.zeros(1100)
    for seed, (codec, each) in enumerate(zip(codecs, gradients, strict=True)):
        codec.share(shared)
        total += coded(codec, each, seed)
    for layer, scale in zip(LAYERS, shared, strict=True):
        levels = total[layer.start : layer.stop] / scale
        assert torch.allclose(levels, levels.round(), atol=1e-5)
    codecs[0].share(None)
    assert torch.equal(coded(codecs[0], gradients[0]), coded(terngrad(), gradients[0]))


def test_parts_use_the_shared_scales_of_their_layers():
    codec, vector = terngrad(), gradient()
    early = codec.part(900, 1050)
    codec.share(torch.tensor([64.0, 2.0]))
    for part in (early, codec.part(990, 1010)):
        found = coded(part, vector[990:1010] if part is not early else vector[900:1050])
        edge = 10 if part is not early else 100
        assert set(found[:edge].abs().tolist()) == {0.0, 64.0}
        assert set(found[edge:].abs().tolist()) <= {0.0, 2.0}


def test_shared_scales_that_do_not_fit_are_refused():
    codec = terngrad(clip=None)
    codec.share(torch.tensor([1.0, 1.0]))
    with pytest.raises(ValueError, match="a shared scale is below a value, must be the largest of all workers'"):
        codec.encode(gradient(), draws())
    codec.share(torch.ones(3))
    with pytest.raises(ValueError, match="3 scales are shared, must be one for each of 2 buckets"):
        codec.encode(gradient(), draws())


def test_layers_of_one_or_of_equal_components_are_not_clipped_away():
    for vector in (torch.tensor([-3.0]), torch.full((50,), 0.25)):
        assert torch.equal(coded(create_codec("terngrad"), vector), vector)


def test_the_worst_vectors_noise_is_the_bound():
    """One component of S and d - 1 of S / (1 + sqrt(d))."""
    codec = create_codec("terngrad", {"clip": None})
    vector = torch.full((400,), 1 / 21).index_fill_(0, torch.tensor(0), 1.0)
    noise = torch.stack([(coded(codec, vector, seed) - vector).square().sum() for seed in range(300)]).mean()
    assert math.sqrt(noise / vector.square().sum()) == pytest.approx(codec.noise_bound(400), rel=0.02)


def test_bytes_that_are_no_five_digits_are_refused():
    codec = create_codec("terngrad")
    payload = codec.encode(torch.ones(64), draws())
    payload[-1] = 243
    with pytest.raises(PayloadError, match="a scale or digits that none has"):
        codec.decode(payload, torch.empty(64))


def test_a_clip_of_nothing_is_refused():
    with pytest.raises(ValueError, match=r"codec terngrad: option clip is 0\.0, but it should be greater than 0"):
        create_codec("terngrad", {"clip": 0.0})


@pytest.mark.parametrize("workers", [2, 3, 7, 8, 127, 128])
@pytest.mark.parametrize("count", [0, 1, 17])
def test_a_sum_of_digits_is_a_mean_without_being_coded_again(workers, count):
    codec = create_codec("terngrad")
    assert isinstance(codec, Terngrad)
    codec.share(torch.tensor([0.5]))
    digits = torch.linspace(-workers, workers, count).round()
    payload = codec.encode_sum(digits, workers)
    bits = math.ceil(math.log2(2 * workers + 1))
    assert payload.nbytes == codec.sum_bytes(count, workers) == 16 + math.ceil(count * bits / 8)
    mean = torch.empty(count)
    codec.decode_mean(payload, workers, mean)
    assert torch.allclose(mean, digits * 0.5 / workers)


def test_a_sum_that_none_has_is_refused():
    codec = create_codec("terngrad")
    assert isinstance(codec, Terngrad)
    payload = codec.encode_sum(torch.tensor([3.0, -3.0]), 3)
    with pytest.raises(ValueError, match="a sum has no scales of its own, but none are shared"):
        codec.decode_mean(payload, 3, torch.empty(2))
    codec.share(torch.tensor([1.0]))
    payload[16] = 0b100  # -4 of three workers
    with pytest.raises(PayloadError, match="a digit that none has"):
        codec.decode_mean(payload, 3, torch.empty(2))
    with pytest.raises(PayloadError, match="must be 17 bytes"):
        codec.decode_mean(payload, 4, torch.empty(2))


def test_parts_are_clipped_where_their_whole_layers_are():
    """A part of small values would be clipped at its own 2.5 sigma, and lose what its layer keeps."""
    vector = torch.cat([torch.full((1000,), 4.0), torch.zeros(99), torch.tensor([1.0])])
    codec = create_codec("terngrad").on((Layer("a", 0, 1100, (1100,)),))
    assert isinstance(codec, Terngrad)
    own = codec.scales(vector)
    codec.share(own, own)
    part, found = codec.part(1000, 1100), []
    for seed in range(400):
        found.append(float(coded(part, vector[1000:], seed)[-1]))
    assert sum(found) / len(found) == pytest.approx(1.0, abs=0.4)  # its own would be 0.25
