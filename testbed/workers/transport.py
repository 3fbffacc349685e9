"""Performs what an algorithm yields, and counts every byte handed over."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from algorithms.algorithm import Collective, Exchange, Operation, Step
from testbed.workers.carrier import Carrier
from testbed.workers.meter import StepMeter


class MpiTransport:
    """Runs an algorithm's step: every yielded operation is performed by the carrier, then the step resumes.

    `staging_copy_s` is what copying that many bytes between an emulated device and the host takes: it is charged to
    encode for what is sent and to decode for what was received. A real device's copies are the carrier's, and overlap
    with the exchange.
    """

    def __init__(
        self,
        carrier: Carrier,
        meter: StepMeter,
        staging_copy_s: Callable[[int], float],
    ) -> None:
        self._carrier = carrier
        self._meter = meter
        self._staging_copy_s = staging_copy_s
        self.handed_bytes = 0

    @property
    def messages(self) -> int:
        """Messages handed to MPI; what a collective sends is the library's affair."""
        return self._carrier.messages

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
        self._meter.charge("encode", self._staging_copy_s(sent_bytes))
        with self._meter.communicating():
            received = self._carrier.exchange(exchange, self._meter.all_sent)
        self._meter.explain(exchange, received)
        self._meter.charge("decode", self._staging_copy_s(sum(received)))
        return received

    def _collective(self, collective: Collective) -> Sequence[int]:
        """MPI's own sum. What it sends is the library's affair: what is handed over is the vector, once."""
        self.handed_bytes += collective.values.nbytes
        self._meter.charge("encode", self._staging_copy_s(collective.values.nbytes))
        with self._meter.communicating():
            self._carrier.sum(collective.values)
        self._meter.charge("decode", self._staging_copy_s(collective.values.nbytes))
        return ()
