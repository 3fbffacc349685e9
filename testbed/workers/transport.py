"""Performs what an algorithm yields, over MPI, and counts every byte handed to it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from algorithms.algorithm import Collective, Exchange, Operation, Step
from testbed.workers.meter import StepMeter
from testbed.workers.mpi import MPI


class MpiTransport:
    """Runs an algorithm's step: every yielded operation is performed on the communicator, then the step resumes.

    `staging_copy_s` is what copying that many bytes between the device and the host takes: it is charged to encode
    for what is sent and to decode for what was received.
    """

    def __init__(
        self,
        communicator: MPI.Intracomm,
        meter: StepMeter,
        staging_copy_s: Callable[[int], float],
    ) -> None:
        self._communicator = communicator
        self._meter = meter
        self._staging_copy_s = staging_copy_s
        self.handed_bytes = 0
        self.messages = 0

    def run(self, step: Step) -> None:
        """Drive one step to its end."""
        try:
            operation = next(step)
            while True:
                operation = step.send(self._perform(operation))
        except StopIteration:
            return

    def _perform(self, operation: Operation) -> Sequence[int]:
        if isinstance(operation, Exchange):
            return self._exchange(operation)
        return self._collective(operation)

    def _exchange(self, exchange: Exchange) -> Sequence[int]:
        sent_bytes = sum(send.data.nbytes for send in exchange.sends)
        self.handed_bytes += sent_bytes
        self.messages += len(exchange.sends)
        self._meter.charge("encode", self._staging_copy_s(sent_bytes))
        with self._meter.communicating():
            received = self._send_and_receive(exchange)
        self._meter.explain(exchange, received)
        self._meter.charge("decode", self._staging_copy_s(sum(received)))
        return received

    def _send_and_receive(self, exchange: Exchange) -> Sequence[int]:
        communicator = self._communicator
        receives: list[Any] = [
            communicator.Irecv([receive.into, MPI.BYTE], receive.peer, receive.tag) for receive in exchange.receives
        ]
        sends: list[Any] = [communicator.Isend([send.data, MPI.BYTE], send.peer, send.tag) for send in exchange.sends]
        MPI.Request.Waitall(sends)
        self._meter.all_sent()
        statuses = [MPI.Status() for _ in receives]
        MPI.Request.Waitall(receives, statuses)
        return [status.Get_count(MPI.BYTE) for status in statuses]

    def _collective(self, collective: Collective) -> Sequence[int]:
        """MPI's own sum. What it sends is the library's affair: what is handed over is the vector, once."""
        self.handed_bytes += collective.values.nbytes
        self._meter.charge("encode", self._staging_copy_s(collective.values.nbytes))
        with self._meter.communicating():
            self._communicator.Allreduce(MPI.IN_PLACE, collective.values, MPI.SUM)
        self._meter.charge("decode", self._staging_copy_s(collective.values.nbytes))
        return ()
