"""What brings messages across: over MPI, from the memory where an algorithm's tensors lie."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from torch import Tensor

from algorithms.algorithm import Bytes, Exchange
from testbed.workers.mpi import MPI


class Carrier(Protocol):
    """Performs exchanges of tensors that lie on one device."""

    messages: int  # handed to MPI

    def announce(self, payload: Bytes) -> None:
        """The next exchange will send `payload`, which stays as it is until then."""

    def exchange(self, exchange: Exchange, all_sent: Callable[[], None]) -> Sequence[int]:
        """Send and receive; the bytes received, per `Receive`. `all_sent` is called once all sends are complete."""

    def sum(self, values: Tensor) -> None:
        """Replace float32 `values` by the MPI library's sum over all workers."""


class DirectCarrier:
    """MPI sends from, and receives into, the tensors' own memory: the host's."""

    def __init__(self, communicator: MPI.Intracomm) -> None:
        self._communicator = communicator
        self.messages = 0

    def announce(self, payload: Bytes) -> None:
        """There is nothing to make ready."""

    def exchange(self, exchange: Exchange, all_sent: Callable[[], None]) -> Sequence[int]:
        """All at once."""
        communicator = self._communicator
        receives: list[Any] = [
            communicator.Irecv([receive.into.numpy(), MPI.BYTE], receive.peer, receive.tag)
            for receive in exchange.receives
        ]
        sends: list[Any] = [
            communicator.Isend([send.data.numpy(), MPI.BYTE], send.peer, send.tag) for send in exchange.sends
        ]
        self.messages += len(sends)
        MPI.Request.Waitall(sends)
        all_sent()
        statuses = [MPI.Status() for _ in receives]
        MPI.Request.Waitall(receives, statuses)
        return [status.Get_count(MPI.BYTE) for status in statuses]

    def sum(self, values: Tensor) -> None:
        """In place."""
        self._communicator.Allreduce(MPI.IN_PLACE, values.numpy(), MPI.SUM)
