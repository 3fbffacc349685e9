from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from algorithms.algorithm import Exchange, Step, Unmetered
from algorithms.exchanges.all_to_all import all_to_all
from algorithms.exchanges.chunks import length, split
from algorithms.exchanges.neighbours import NeighbourExchange
from algorithms.exchanges.ring import RingAllreduce, ring_allgather
from algorithms.lockstep import run


@given(count=st.integers(0, 100), parts=st.integers(1, 20))
def test_chunks_cover_the_vector_evenly(count, parts):
    chunks = split(count, parts)
    assert [index for chunk in chunks for index in range(count)[chunk]] == list(range(count))
    assert max(map(length, chunks)) - min(map(length, chunks)) <= 1


@given(workers=st.integers(2, 9), count=st.integers(0, 40))
def test_ring_allreduce_sums(workers, count):
    values = [torch.arange(count, dtype=torch.float32) + rank for rank in range(workers)]
    expected = torch.stack(values).sum(0)
    rings = [RingAllreduce(rank, workers, count, Unmetered(), torch.device("cpu")) for rank in range(workers)]
    traffic = run([ring.sum(value) for ring, value in zip(rings, values, strict=True)])
    assert all(torch.equal(value, expected) for value in values)
    assert traffic.handed_bytes == tuple(ring.sent_bytes() for ring in rings)
    assert traffic.messages == (2 * (workers - 1),) * workers


@pytest.mark.parametrize("workers", [2, 3, 8])
def test_ring_allgather_fills_slots_of_unequal_size(workers):
    slots = [[torch.zeros(j + 1, dtype=torch.uint8) for j in range(workers)] for _ in range(workers)]
    for rank in range(workers):
        slots[rank][rank][:] = rank + 1
    run([ring_allgather(rank, workers, slots[rank], own=rank) for rank in range(workers)])
    assert all(slot.tolist() == [j + 1] * (j + 1) for mine in slots for j, slot in enumerate(mine))


@pytest.mark.parametrize("workers", [2, 3, 8])
def test_all_to_all_takes_one_exchange_and_rotates(workers):
    def step(rank: int, rooms: list[torch.Tensor]) -> Step:
        exchange = all_to_all(
            rank, workers, [torch.tensor([rank, j], dtype=torch.uint8) for j in range(workers)], rooms
        )
        assert [send.peer for send in exchange.sends] == [(rank + k) % workers for k in range(1, workers)]
        yield exchange

    rooms = [[torch.zeros(2, dtype=torch.uint8) for _ in range(workers)] for _ in range(workers)]
    run([step(rank, rooms[rank]) for rank in range(workers)])
    for rank in range(workers):
        assert all(rooms[rank][j].tolist() == [j, rank] for j in range(workers) if j != rank)


@pytest.mark.parametrize("fixed", [True, False])
def test_payloads_whose_size_is_not_known_travel_whole(fixed):
    def step(rank: int, received: dict[int, torch.Tensor]) -> Step:
        exchange = NeighbourExchange([1 - rank], 5, torch.device("cpu"), fixed=fixed)
        swap = exchange.swap(torch.full((2,), rank, dtype=torch.uint8))
        operation = next(swap)
        assert isinstance(operation, Exchange)
        assert {send.whole for send in operation.sends} == {not fixed}
        assert {receive.whole for receive in operation.receives} == {not fixed}
        sizes = yield operation
        with pytest.raises(StopIteration) as ended:
            swap.send(sizes)
        received.update(ended.value.value)

    received: list[dict[int, torch.Tensor]] = [{}, {}]
    run([step(rank, received[rank]) for rank in range(2)])
    assert [of_rank[1 - rank].tolist() for rank, of_rank in enumerate(received)] == [[1, 1], [0, 0]]
