from __future__ import annotations

import pytest
import torch

from algorithms.algorithm import Collective, Exchange, Receive, Send, Step
from algorithms.lockstep import LockstepError, run


def room(size_bytes: int) -> torch.Tensor:
    return torch.zeros(size_bytes, dtype=torch.uint8)


def step(*operations: Exchange | Collective, sizes: list[int] | None = None) -> Step:
    for operation in operations:
        received = yield operation
        if sizes is not None:
            sizes.extend(received)


def send(peer: int, size_bytes: int = 3, tag: int = 0) -> Exchange:
    return Exchange(sends=[Send(peer, torch.arange(size_bytes, dtype=torch.uint8), tag)])


def receive(peer: int, size_bytes: int = 3, tag: int = 0) -> Exchange:
    return Exchange(receives=[Receive(peer, room(size_bytes), tag)])


def test_delivers_and_counts():
    expected = receive(0, 5)
    sizes: list[int] = []
    traffic = run([step(send(1, 3)), step(expected, sizes=sizes)])
    assert sizes == [3]
    assert expected.receives[0].into.tolist() == [0, 1, 2, 0, 0]
    assert traffic.handed_bytes == (3, 0)
    assert traffic.messages == (1, 0)


def test_collectives_sum():
    values = [torch.full((4,), float(rank)) for rank in range(3)]
    traffic = run([step(Collective(value)) for value in values])
    assert all(value.tolist() == [3] * 4 for value in values)
    assert traffic.handed_bytes == (16, 16, 16)


@pytest.mark.parametrize(
    "steps",
    [
        lambda: [step(send(1), receive(1)), step(send(0), receive(0))],  # relies on buffered sends
        lambda: [step(send(1, tag=1)), step(receive(0, tag=2))],
        lambda: [step(send(1)), step()],
        lambda: [step(receive(1)), step()],
        lambda: [step(Collective(torch.zeros(1))), step()],
    ],
)
def test_what_does_not_match_is_a_deadlock(steps):
    with pytest.raises(LockstepError, match="deadlock: worker 0"):
        run(steps())


def test_a_message_longer_than_its_room_is_refused():
    with pytest.raises(LockstepError, match=r"worker 0 sends 3 bytes to 1 .* room for 2"):
        run([step(send(1, 3)), step(receive(0, 2))])


def test_a_message_to_nobody_is_refused():
    with pytest.raises(LockstepError, match="worker 0 sends to 2"):
        run([step(send(2)), step()])


def test_receiving_into_memory_in_use_is_refused():
    shared = room(4)
    exchange = Exchange(sends=[Send(1, shared)], receives=[Receive(1, shared)])
    with pytest.raises(LockstepError, match="memory that is in use"):
        run([step(exchange), step(send(0))])
