"""What every codec promises: the declared size, a bounded error, the same scale on both sides."""

import pytest
import torch

from algorithms.codecs.codec import PayloadError, create_codec


@pytest.mark.parametrize("count", [0, 1, 1000])
def test_comes_back_within_half_a_step(count):
    codec, values, out = create_codec("int8"), torch.randn(count), torch.empty(count)
    payload = codec.encode(values, torch.Generator())
    assert payload.numel() == codec.payload_bytes(count) == 12 + count
    codec.decode(payload, out)
    error = (out - values).norm()
    assert error <= codec.noise_bound(count) * values.norm() * (1 + 1e-5)


def test_zeros_and_foreign_payloads():
    codec, out = create_codec("int8"), torch.ones(3)
    codec.decode(codec.encode(torch.zeros(3), torch.Generator()), out)
    assert out.tolist() == [0, 0, 0]
    with pytest.raises(PayloadError, match="must be 15 bytes"):
        codec.decode(torch.zeros(5, dtype=torch.uint8), out)
