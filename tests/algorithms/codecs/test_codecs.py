"""Every codec keeps its contract: defined for all finite vectors, of exact size, unbiased, and guarded."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hypothesis_numpy
from torch import Tensor

from algorithms.codecs.codec import Codec, PayloadError, create_codec
from algorithms.finite import NonFiniteError

CODECS: list[tuple[str, dict[str, Any]]] = [
    ("fp32", {}),
    *[("qsgd", {"bits": bits, "bucket": 16}) for bits in (2, 3, 5, 8)],  # test_packing has all the widths
    ("qsgd", {"norm": "l2", "bucket": 16}),
    ("qsgd", {"norm": "l2", "bucket": "vector", "bits": 4}),
    ("qsgd", {}),
    ("qsgd", {"bucket": 1}),
    ("grid", {"overflow": "saturate"}),
    ("grid", {"bits": 3, "step": 0.3, "overflow": "saturate"}),
]
each_codec = pytest.mark.parametrize(("name", "options"), CODECS)
finite_vectors = hypothesis_numpy.arrays(
    np.float32,
    st.integers(0, 70),
    elements=st.floats(width=32, allow_nan=False, allow_infinity=False),
)


def draws(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def coded(codec: Codec, vector: Tensor, generator: torch.Generator | None = None) -> Tensor:
    out = torch.full((vector.numel(),), math.nan)
    codec.decode(codec.encode(vector, generator or draws()), out)
    return out


@each_codec
@given(values=finite_vectors)
def test_defined_for_all_finite_vectors(name, options, values):
    codec = create_codec(name, options)
    vector = torch.from_numpy(values)
    payload = codec.encode(vector, draws())
    assert payload.nbytes == codec.payload_bytes(len(values)) <= codec.max_bytes(len(values))
    out = torch.empty(len(values))
    codec.decode(payload, out)
    assert bool(torch.isfinite(out).all())
    if name == "qsgd" and options.get("norm") != "l2":
        _within_one_level(vector, out, options.get("bucket", 512), codec.levels)  # type: ignore[attr-defined]
    if codec.exact:
        assert torch.equal(out, vector)


def _within_one_level(vector: Tensor, out: Tensor, bucket: int, levels: int) -> None:
    for part, result in zip(torch.split(vector.double(), bucket), torch.split(out.double(), bucket), strict=True):
        if part.numel():
            norm = part.abs().max()
            tolerance = norm / levels * (1 + 1e-5) + 1e-44  # plus the smallest floats' own spacing
            assert float((part - result).abs().max()) <= float(tolerance)


@each_codec
@pytest.mark.parametrize("count", [0, 1, 15, 16, 17, 600])
def test_zeros_decode_to_zeros(name, options, count):
    assert torch.equal(coded(create_codec(name, options), torch.zeros(count)), torch.zeros(count))


@each_codec
def test_a_strided_vector_is_coded_as_its_copy(name, options):
    codec = create_codec(name, options)
    matrix = torch.randn(12, 7, generator=draws()).div_(10)
    assert torch.equal(coded(codec, matrix.t()), coded(codec, matrix.t().contiguous().view(-1)))


@each_codec
def test_scratch_of_a_longer_vector_does_not_show(name, options):
    codec = create_codec(name, options)
    short = torch.randn(21, generator=draws(1))
    fresh = coded(create_codec(name, options), short)
    coded(codec, torch.randn(1000, generator=draws(2)))
    assert torch.equal(coded(codec, short), fresh)


@each_codec
def test_payload_lies_in_the_room_given(name, options):
    codec = create_codec(name, options)
    vector = torch.randn(50, generator=draws())
    room = torch.zeros(codec.max_bytes(50) + 5, dtype=torch.uint8)
    payload = codec.encode(vector, draws(), room)
    assert codec.exact or payload.data_ptr() == room.data_ptr()
    assert torch.equal(payload, codec.encode(vector, draws()))
    if not codec.exact:
        with pytest.raises(ValueError, match="provide max_bytes"):
            codec.encode(vector, draws(), room[:10])


@each_codec
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_is_refused_by_component(name, options, value):
    vector = torch.zeros(40)
    vector[33] = value
    with pytest.raises(NonFiniteError, match="component 33") as caught:
        create_codec(name, options).encode(vector, draws())
    assert caught.value.index == 33


@each_codec
def test_truncated_and_padded_payloads_are_refused(name, options):
    codec = create_codec(name, options)
    payload = codec.encode(torch.randn(40, generator=draws()), draws()).clone()
    for damaged in (payload[:-1], payload[:5], payload[:0], torch.cat([payload, payload[:1]])):
        with pytest.raises(PayloadError, match=f"{name} payload .* same codec, options and model"):
            codec.decode(damaged, torch.empty(40))
    with pytest.raises(PayloadError):
        codec.decode(payload, torch.empty(41))


@pytest.mark.parametrize(("name", "options"), [(name, options) for name, options in CODECS if name != "fp32"])
@pytest.mark.parametrize("place", range(16))
def test_a_foreign_header_is_refused(name, options, place):
    codec = create_codec(name, options)
    payload = codec.encode(torch.randn(40, generator=draws()), draws()).clone()
    payload[place] ^= 0x55
    with pytest.raises(PayloadError):
        codec.decode(payload, torch.empty(40))


def test_payloads_of_other_options_are_refused():
    payload = create_codec("qsgd").encode(torch.ones(64), draws())
    for other in ({"norm": "l2"}, {"bits": 7}, {"bucket": 32}):
        with pytest.raises(PayloadError):
            create_codec("qsgd", other).decode(payload, torch.empty(64))


def test_a_damaged_norm_is_refused():
    payload = create_codec("qsgd").encode(torch.ones(64), draws())
    for norm in (math.nan, math.inf, -1.0):
        payload[16:20] = torch.tensor([norm]).view(torch.uint8)
        with pytest.raises(PayloadError, match="norm"):
            create_codec("qsgd").decode(payload, torch.empty(64))


@each_codec
@pytest.mark.parametrize("offset", [1, 4])
def test_payloads_are_decoded_wherever_they_lie(name, options, offset):
    codec = create_codec(name, options)
    payload = codec.encode(torch.randn(64, generator=draws()), draws())
    room = torch.zeros(offset + payload.numel(), dtype=torch.uint8)
    room[offset:] = payload
    here, there = torch.empty(64), torch.empty(64)
    codec.decode(payload, here)
    codec.decode(room[offset:], there)
    assert torch.equal(here, there)


@pytest.mark.parametrize(
    ("name", "options"),
    [(name, options) for name, options in CODECS if name != "fp32"],
)
def test_unbiased_within_its_variance(name, options):
    """Mean of 200 draws: within 6 standard deviations, where one draw's is half a level at most."""
    codec = create_codec(name, options)
    vector = torch.randn(200, generator=draws(5)).mul_(0.25).clamp_(-0.8, 0.8)
    runs = torch.stack([coded(codec, vector, draws(seed)) for seed in range(200)])
    level = _levels(codec, vector)
    assert bool(((runs.mean(dim=0) - vector).abs() <= 6 * 0.5 * level / math.sqrt(200) + 1e-6).all())
    assert bool((runs.var(dim=0) <= 0.25 * level**2 * 1.5 + 1e-9).all())
    assert bool(((runs - vector).abs() <= level * (1 + 1e-5) + 1e-6).all())


def _levels(codec: Any, vector: Tensor) -> Tensor:
    """The distance between a component's two candidates."""
    if codec.name == "grid":
        return torch.full_like(vector, codec.step)
    bucket = vector.numel() if codec.options.bucket == "vector" else codec.options.bucket
    order = 2 if codec.options.norm == "l2" else math.inf
    norms = [torch.linalg.vector_norm(part, order).expand(part.numel()) for part in torch.split(vector, bucket)]
    return torch.cat(norms) / float(codec.levels)


@pytest.mark.parametrize("options", [{}, {"bits": 4, "bucket": 64}, {"norm": "l2"}, {"bits": 2, "bucket": "vector"}])
@pytest.mark.parametrize("shape", ["gaussian", "sparse", "worst"])
def test_noise_is_within_the_bound(options, shape):
    codec = create_codec("qsgd", options)
    levels: int = codec.levels  # type: ignore[attr-defined]
    vector = {
        "gaussian": torch.randn(1024, generator=draws(3)),
        "sparse": torch.zeros(1024).index_fill_(0, torch.arange(0, 1024, 37), 1.0),
        "worst": torch.full((1024,), 0.5 / levels).index_fill_(0, torch.arange(0, 1024, 512), 1.0),
    }[shape]
    noise = torch.stack([(coded(codec, vector, draws(seed)) - vector).square().sum() for seed in range(50)])
    assert math.sqrt(noise.mean() / vector.square().sum()) <= codec.noise_bound(1024) * 1.02


def test_exact_parts_of_qsgd():
    """A bucket's largest magnitude and integer multiples of the level come back exactly."""
    vector = torch.tensor([127.0, -127.0, 3.0, 0.0, -64.0])
    assert torch.equal(coded(create_codec("qsgd"), vector), vector)


def test_grid_beyond_its_range():
    with pytest.raises(ValueError, match=r"codec grid: a value is 2 in magnitude, must be at most 1\.984"):
        create_codec("grid").encode(torch.tensor([0.5, -2.0]), draws())
    saturated = coded(create_codec("grid", {"overflow": "saturate"}), torch.tensor([0.5, -2.0, 1e38]))
    assert saturated.tolist() == [0.5, -127 / 64, 127 / 64]


def test_fp32_does_not_copy():
    vector = torch.randn(10)
    payload = create_codec("fp32").encode(vector, draws())
    vector[0] = 5.0
    assert payload.view(torch.float32)[0] == 5.0


def test_another_precision_is_refused():
    with pytest.raises(TypeError, match=r"encodes float32, got torch\.float64"):
        create_codec("qsgd").encode(torch.zeros(3, dtype=torch.float64), draws())
