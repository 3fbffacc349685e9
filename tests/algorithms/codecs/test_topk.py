from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from algorithms.codecs import sparse
from algorithms.codecs.codec import Codec, PayloadError, create_codec
from algorithms.codecs.sparse import index_bytes, largest_places, read_indices, write_indices
from algorithms.finite import NonFiniteError


def coded(codec: Codec, vector: Tensor) -> Tensor:
    out = torch.empty_like(vector)
    codec.decode(codec.encode(vector, torch.Generator()), out)
    return out


@given(data=st.data(), form=st.sampled_from(["int32", "elias-fano"]), count=st.integers(1, 3000))
def test_indices_come_back_from_as_many_bytes(data, form, count):
    indices = sorted(data.draw(st.sets(st.integers(0, count - 1), min_size=1, max_size=60)))
    part = write_indices(form, torch.tensor(indices), count)
    assert part.numel() == index_bytes(form, len(indices), count)
    found = read_indices(form, part, len(indices), count)
    assert found is not None and found.tolist() == indices


@pytest.mark.parametrize("indices", [[0, 1, 2], [2**32 - 4, 2**32 - 2], [0, 2**31, 2**32 - 2]])
def test_indices_of_the_longest_vectors(indices):
    for form in ("int32", "elias-fano"):
        if form == "elias-fano" and len(indices) == 3:
            continue  # tens of megabytes of marks are nobody's test
        found = read_indices("int32", write_indices("int32", torch.tensor(indices), 2**32 - 1), len(indices), 2**32 - 1)
        assert found is not None and found.tolist() == indices


@pytest.mark.parametrize("options", [{"k": 3}, {"density": 0.3}, {"k": 3, "indices": "elias-fano"}])
def test_the_largest_magnitudes_are_kept(options):
    vector = torch.tensor([0.1, -5.0, 0.0, 2.0, -0.3, 1.0, 7.0, 0.2, 0.2, 0.1])
    assert coded(create_codec("topk", options), vector).tolist() == [0, -5, 0, 2, 0, 0, 7, 0, 0, 0]


LONG = 2 * sparse.PIECE + 77


@pytest.mark.parametrize("share", [1000, 30, 5, 2])
def test_long_vectors_keep_their_largest_magnitudes(share):
    vector, k = torch.randn(LONG, generator=torch.Generator().manual_seed(share)), LONG // share
    places = largest_places(vector, k)
    assert bool((places.diff() > 0).all()) and places.numel() == k
    assert torch.equal(vector[places].abs().sort().values, vector.abs().sort().values[-k:])


@pytest.mark.parametrize("large", [0, 3, 5000, LONG // 2, LONG])
@pytest.mark.parametrize("where", ["first", "last", "where no sample is"])
def test_long_vectors_of_few_values(large, where):
    vector, k = torch.full((LONG,), 0.5), 5000
    among = torch.arange(LONG)
    if where == "where no sample is":
        among = among[among % sparse.SAMPLED != 0]
    vector[among[:large] if where == "first" else among[among.numel() - min(large, among.numel()) :]] = -1.0
    places = largest_places(vector, k)
    assert torch.unique(places).numel() == k
    assert int((vector[places] == -1).sum()) == min(k, int((vector == -1).sum()))


def test_bytes_per_component_kept():
    n, k = 1_000_000, 1000
    assert create_codec("topk").payload_bytes(n) == 16 + 8 * k
    assert create_codec("topk", {"values": "fp16"}).payload_bytes(n) == 16 + 6 * k
    coded_indices = create_codec("topk", {"indices": "elias-fano"}).payload_bytes(n) - 16 - 4 * k
    assert 8 * coded_indices / k < 2 + math.log2(n / k)


def test_the_density_keeps_one_at_least():
    assert coded(create_codec("topk"), torch.tensor([1.0, -2.0])).tolist() == [0.0, -2.0]


def test_equal_magnitudes_are_the_worst():
    codec, vector = create_codec("topk", {"k": 16}), torch.ones(64)
    assert float((coded(codec, vector) - vector).norm()) / 8 == pytest.approx(codec.noise_bound(64))


def test_a_value_beyond_fp16_is_named_by_its_place():
    vector = torch.zeros(10)
    vector[6] = 1e6
    with pytest.raises(NonFiniteError, match=r"component 6 is 1000000.0, but fp16 ends at 65504; set values: fp32"):
        create_codec("topk", {"k": 2, "values": "fp16"}).encode(vector, torch.Generator())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"density": 0.0}, "codec topk: option density is 0.0, but it should be greater than 0"),
        ({"density": 1.5}, "codec topk: option density is 1.5, but it should be less than or equal to 1"),
        ({"k": 0}, "codec topk: option k is 0, but it should be greater than or equal to 1"),
        ({"k": 3, "density": 0.1}, "codec topk: options density and k both say how many .* leave one out"),
    ],
)
def test_bad_options_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        create_codec("topk", options)


@pytest.mark.parametrize("name", ["topk", "randomk"])
def test_more_than_there_are_is_refused(name):
    with pytest.raises(ValueError, match=f"codec {name}: option k is 11, must be at most the vector's 10 components"):
        create_codec(name, {"k": 11}).encode(torch.zeros(10), torch.Generator())
    assert create_codec(name, {"k": 11}).encode(torch.zeros(0), torch.Generator()).numel() > 0


@pytest.mark.parametrize("form", ["int32", "elias-fano"])
def test_damaged_indices_are_refused_or_ascend(form):
    codec = create_codec("topk", {"k": 20, "indices": form})
    payload = codec.encode(torch.randn(300, generator=torch.Generator().manual_seed(1)), torch.Generator())
    refused = 0
    for place in range(16, payload.numel() - 4 * 20):
        for bit in (1, 128):
            damaged = payload.clone()
            damaged[place] ^= bit
            try:
                codec.decode(damaged, torch.empty(300))
            except PayloadError:
                refused += 1
    assert refused > 0
    payload[-4:] = torch.tensor([math.nan]).view(torch.uint8)
    with pytest.raises(PayloadError, match="values that are not finite"):
        codec.decode(payload, torch.empty(300))
