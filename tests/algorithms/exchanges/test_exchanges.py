from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from algorithms.algorithm import Exchange, Step, Unmetered
from algorithms.exchanges.all_to_all import all_to_all
from algorithms.exchanges.binomial import children, parent
from algorithms.exchanges.chunks import length, split
from algorithms.exchanges.neighbours import NeighbourExchange
from algorithms.exchanges.ring import ring_allgather
from algorithms.exchanges.summation import SUMMATIONS
from algorithms.lockstep import Traffic, run


@given(count=st.integers(0, 100), parts=st.integers(1, 20))
def test_chunks_cover_the_vector_evenly(count, parts):
    chunks = split(count, parts)
    assert [index for chunk in chunks for index in range(count)[chunk]] == list(range(count))
    assert max(map(length, chunks)) - min(map(length, chunks)) <= 1


def summed(name: str, values: list[torch.Tensor]) -> Traffic:
    """Sum in place by the pattern called `name`; its declared bytes are those handed over."""
    workers, count = len(values), len(values[0])
    kind = SUMMATIONS.find(name)
    sums = [kind(rank, workers, count, Unmetered(), torch.device("cpu")) for rank in range(workers)]
    traffic = run([one.sum(value) for one, value in zip(sums, values, strict=True)])
    assert traffic.handed_bytes == tuple(one.sent_bytes() for one in sums)
    return traffic


@given(name=st.sampled_from(SUMMATIONS.names()), workers=st.integers(2, 17), count=st.integers(0, 40))
def test_every_pattern_sums(name, workers, count):
    values = [torch.arange(count, dtype=torch.float32) + rank for rank in range(workers)]
    expected = torch.stack(values).sum(0)
    summed(name, values)
    assert all(torch.equal(value, expected) for value in values)


@given(name=st.sampled_from(SUMMATIONS.names()), workers=st.integers(2, 17), seed=st.integers(0, 100))
def test_every_pattern_leaves_the_same_bits_everywhere(name, workers, seed):
    """Of values whose sum depends on the order."""
    draws = torch.Generator().manual_seed(seed)
    values = [torch.randn(20, generator=draws) * 10.0**rank for rank in range(workers)]
    summed(name, values)
    assert all(torch.equal(value, values[0]) for value in values)


N = 960  # a multiple of all chunks


@pytest.mark.parametrize(
    ("name", "workers", "of_rank_0", "of_last", "total"),
    [
        ("ring", 5, 8 * N * 4 // 5, 8 * N * 4 // 5, 8 * N * 4),
        ("mpi", 5, 4 * N, 4 * N, 20 * N),
        ("recursive-doubling", 8, 12 * N, 12 * N, 96 * N),
        ("recursive-doubling", 5, 4 * N * 3, 4 * N, 4 * N * (4 * 2 + 2)),  # worker 4 is folded into worker 0
        ("rabenseifner", 8, 7 * N, 7 * N, 56 * N),
        ("rabenseifner", 6, 10 * N, 4 * N, 4 * 6 * N + 16 * N),  # 8 N 3/4 in the core; 4 and 5 folded
        ("tree", 8, 12 * N, 4 * N, 56 * N),
        ("tree", 7, 12 * N, 4 * N, 48 * N),
    ],
)
def test_bytes_follow_the_formulas(name, workers, of_rank_0, of_last, total):
    handed = summed(name, [torch.zeros(N) for _ in range(workers)]).handed_bytes
    assert (handed[0], handed[-1], sum(handed)) == (of_rank_0, of_last, total)


def test_messages_of_the_ring():
    assert summed("ring", [torch.zeros(9) for _ in range(5)]).messages == (8,) * 5


def test_the_binomial_tree_is_the_one_drawn():
    assert [children(rank, 9) for rank in range(9)] == [(8, 1, 2, 4), (), (3,), (), (5, 6), (), (7,), (), ()]


@given(workers=st.integers(1, 70))
def test_children_and_parents_agree(workers):
    for rank in range(workers):
        assert [child for child in range(workers) if parent(child, workers) == rank] == sorted(children(rank, workers))


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
        exchange = NeighbourExchange([1 - rank], [1 - rank], 5, torch.device("cpu"), fixed)
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


@given(
    name=st.sampled_from(SUMMATIONS.names()),
    workers=st.integers(2, 9),
    count=st.integers(0, 40),
    in_place=st.booleans(),
)
def test_an_average_is_the_sum_divided_and_leaves_other_vectors_alone(name, workers, count, in_place):
    vectors = [torch.randn(count, generator=torch.Generator().manual_seed(rank)) for rank in range(workers)]
    sums = [vector.clone() for vector in vectors]
    summed(name, sums)
    given_to = [vector.clone() for vector in vectors]
    into = given_to if in_place else [torch.full((count,), torch.nan) for _ in vectors]
    kind = SUMMATIONS.find(name)
    means = [kind(rank, workers, count, Unmetered(), torch.device("cpu")) for rank in range(workers)]
    run([one.average(vector, out) for one, vector, out in zip(means, given_to, into, strict=True)])
    assert all(torch.equal(out, total / workers) for out, total in zip(into, sums, strict=True))
    assert in_place or all(torch.equal(*pair) for pair in zip(given_to, vectors, strict=True))
