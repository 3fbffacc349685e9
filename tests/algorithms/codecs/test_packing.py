from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from algorithms.codecs.packing import pack, packed_bytes, padded, unpack


@given(data=st.data(), bits=st.integers(2, 8), count=st.integers(0, 50))
def test_round_trip(data, bits, count):
    largest = 2 ** (bits - 1) - 1
    values = data.draw(st.lists(st.integers(-largest - 1, largest), min_size=count, max_size=count))
    codes = torch.zeros(padded(count), dtype=torch.int8)
    codes[:count] = torch.tensor(values, dtype=torch.int8)
    packed = pack(codes, bits, count)
    assert packed.numel() == packed_bytes(count, bits) == -(-count * bits // 8)
    assert unpack(packed, bits, count).tolist() == values


@pytest.mark.parametrize(("bits", "expected"), [(2, 0b01_11_10_01), (4, 0b1110_0001)])
def test_layout_is_least_significant_first(bits, expected):
    """Codes 1, -2, -1, 1 in two's complement."""
    codes = torch.tensor([1, -2, -1, 1, 0, 0, 0, 0], dtype=torch.int8)
    assert int(pack(codes, bits, 8)[0]) == expected
