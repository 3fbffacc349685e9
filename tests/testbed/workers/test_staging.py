"""Copies between a GPU and the host; what carriers do with copies is in test_transport.py."""

from __future__ import annotations

import pytest
import torch

from testbed.workers.staging import CudaCopies, HostCopies

on_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no GPU here")


def test_host_copies_are_done_when_they_begin() -> None:
    copies = HostCopies()
    room = copies.room(4)
    wait = copies.begin(room, torch.arange(4, dtype=torch.uint8))
    assert room.tolist() == [0, 1, 2, 3]
    wait()


@on_gpu
def test_a_copy_comes_after_what_the_gpu_was_told() -> None:
    device = torch.device("cuda", 0)
    copies = CudaCopies(device)
    source, back = (torch.zeros(1 << 24, dtype=torch.uint8, device=device) for _ in range(2))
    room = copies.room(source.nbytes)
    assert room.is_pinned()
    for _ in range(200):
        source.add_(1)
    copies.begin(room, source)()
    assert bool((room == 200).all())
    copies.begin(back, room)()
    assert bool((back == 200).all())
