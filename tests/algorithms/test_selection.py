from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from algorithms.selection import Entries, entries_of, entry_bytes, largest, merge, survivors


def test_selection_is_by_magnitude_and_keeps_signs():
    entries = largest(torch.tensor([1.0, -3.0, 0.5, 2.0]), 2)
    assert entries.index.tolist() == [1, 3]
    assert entries.values.tolist() == [-3.0, 2.0]


def test_a_merge_adds_then_selects():
    """Values at one index may cancel, and give way to another."""
    one = Entries(torch.tensor([1, 4]), torch.tensor([5.0, -2.0]))
    other = Entries(torch.tensor([1, 7]), torch.tensor([-4.5, 1.0]))
    merged = merge(one, other)
    assert merged.index.tolist() == [4, 7]
    assert merged.values.tolist() == [-2.0, 1.0]
    survives = torch.tensor([True, False])
    assert survivors(one.index, merged.index, survives).tolist() == [False, True]
    assert survivors(other.index, merged.index, survives).tolist() == [False, False]


@given(k=st.integers(1, 40), seed=st.integers(0, 99))
def test_entries_travel(k, seed):
    draws = torch.Generator().manual_seed(seed)
    entries = largest(torch.randn(50, generator=draws), k)
    back = entries_of(entry_bytes(entries))
    assert torch.equal(back.index, entries.index)
    assert torch.equal(back.values, entries.values)
