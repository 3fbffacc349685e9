"""Messages of tensors that MPI cannot send from: brought to the host's memory piece by piece, and back.

    device tensor ──copies──▶ room on the host ──MPI──▶ link ──MPI──▶ room on the host ──copies──▶ device tensor

A message travels as segments, so that its parts overlap: while one segment is on the link, the next is being copied,
and a segment that has come is copied to the device while others are still under way. An announced payload is copied
while the algorithm encodes the next. Rooms are kept from exchange to exchange.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import Tensor

from algorithms.algorithm import Bytes, Exchange, Receive, Send
from testbed.workers.carrier import Carrier, DirectCarrier
from testbed.workers.mpi import MPI

# At 12 GB/s over PCIe 90 us: long beside what it takes to start a copy (10 us), short beside what it takes on a link
# (0.8 ms at 10 Gbit/s). Sender and receiver must cut alike, so that it is no option.
SEGMENT_BYTES = 1 << 20

Wait = Callable[[], None]  # returns when a copy is done


class Copies(Protocol):
    """Copies between a device and the host's memory that go on by themselves."""

    def room(self, size_bytes: int) -> Bytes:
        """Memory of the host's that copies reach."""

    def begin(self, into: Bytes, source: Bytes) -> Wait:
        """Begin a copy that comes after all that the device has been told so far."""


class CudaCopies:
    """Copies of a GPU's memory, from and to pinned memory, on a stream for each direction."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        torch.cuda.set_device(device)  # what pins memory would otherwise take some of the first GPU's, for every worker
        self._down = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        self._up = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]

    def room(self, size_bytes: int) -> Bytes:
        """Pinned: copies of other memory would wait for each other, and for the host."""
        return torch.empty(size_bytes, dtype=torch.uint8, pin_memory=True)

    def begin(self, into: Bytes, source: Bytes) -> Wait:
        """On the direction's own stream, once the computing stream is done with the memory."""
        stream, there = (self._down, source) if source.is_cuda else (self._up, into)
        stream.wait_stream(torch.cuda.current_stream(self._device))
        with torch.cuda.stream(stream):
            into.copy_(source, non_blocking=True)
        there.record_stream(stream)  # it is not given to others before the copy is done
        # Blocking: whoever waits sleeps, as workers share cores.
        done = torch.cuda.Event(blocking=True)  # type: ignore[no-untyped-call]
        done.record(stream)
        return done.synchronize


class HostCopies:
    """Copies within the host's memory, done when they begin: to stage where no device needs it."""

    def room(self, size_bytes: int) -> Bytes:
        """Ordinary memory."""
        return torch.empty(size_bytes, dtype=torch.uint8)

    def begin(self, into: Bytes, source: Bytes) -> Wait:
        """Copy."""
        into.copy_(source)
        return _done


def _done() -> None:
    """There is nothing to wait for."""


class _Rooms:
    """Rooms that are taken and given back: pinning memory takes longer than copying it."""

    def __init__(self, copies: Copies) -> None:
        self._copies = copies
        self._free: dict[int, list[Bytes]] = defaultdict(list)  # by size

    def take(self, size_bytes: int) -> Bytes:
        free = self._free[size_bytes]
        return free.pop() if free else self._copies.room(size_bytes)

    def give(self, room: Bytes) -> None:
        self._free[room.nbytes].append(room)


@dataclass
class _Outgoing:
    """A payload on its way to the host: segment by segment, a wait for each."""

    room: Bytes
    copied: Sequence[Wait]


@dataclass
class _Incoming:
    """A message on its way to the device."""

    into: Bytes
    room: Bytes
    received_bytes: int = 0
    copied: list[Wait] = field(default_factory=list)


_Place = tuple[int, int]  # address and size of a payload


class StagedCarrier:
    """Carries messages of tensors on a device by way of the host's memory."""

    def __init__(self, communicator: MPI.Intracomm, copies: Copies, segment_bytes: int = SEGMENT_BYTES) -> None:
        self._communicator = communicator
        self._copies = copies
        self._segment_bytes = segment_bytes
        self._rooms = _Rooms(copies)
        self._outgoing: dict[_Place, _Outgoing] = {}  # announced, or of the exchange under way
        self.messages = 0

    def announce(self, payload: Bytes) -> None:
        """Begin to copy it."""
        if (before := self._outgoing.pop(_place(payload), None)) is not None:
            self._give_back(before)
        self._outgoing[_place(payload)] = self._copy_out(payload)

    def exchange(self, exchange: Exchange, all_sent: Callable[[], None]) -> Sequence[int]:
        """Post all receives, send segments as they are copied, copy segments as they come.

        `all_sent` is called last: while segments come, nobody looks whether those that were sent are gone.
        """
        incoming = [_Incoming(receive.into, self._rooms.take(receive.into.nbytes)) for receive in exchange.receives]
        posted = [self._post(receive, one.room) for receive, one in zip(exchange.receives, incoming, strict=True)]
        sent = self._send(exchange.sends)
        self._land(exchange.receives, incoming, posted)
        MPI.Request.Waitall(sent)
        all_sent()
        for outgoing in self._outgoing.values():  # what was announced and not sent is forgotten with the rest
            self._give_back(outgoing)
        self._outgoing.clear()
        for one in incoming:
            for wait in one.copied:
                wait()
            self._rooms.give(one.room)
        return [one.received_bytes for one in incoming]

    def sum(self, values: Tensor) -> None:
        """The library wants all of the vector, so nothing overlaps."""
        source = values.view(torch.uint8)
        room = self._rooms.take(source.nbytes)
        self._copies.begin(room, source)()
        self._communicator.Allreduce(MPI.IN_PLACE, room.view(torch.float32).numpy(), MPI.SUM)
        self._copies.begin(source, room)()
        self._rooms.give(room)

    def _cuts(self, size_bytes: int, *, whole: bool = False) -> list[slice]:
        """The segments of a message; an empty one has a segment, too."""
        longest = size_bytes if whole else self._segment_bytes
        starts = range(0, max(1, size_bytes), max(1, longest))
        return [slice(start, min(start + longest, size_bytes)) for start in starts]

    def _copy_out(self, payload: Bytes) -> _Outgoing:
        room = self._rooms.take(payload.nbytes)
        return _Outgoing(room, [self._copies.begin(room[cut], payload[cut]) for cut in self._cuts(payload.nbytes)])

    def _post(self, receive: Receive, room: Bytes) -> list[Any]:
        return [
            self._communicator.Irecv([room[cut].numpy(), MPI.BYTE], receive.peer, receive.tag)
            for cut in self._cuts(room.nbytes, whole=receive.whole)
        ]

    def _send(self, sends: Sequence[Send]) -> list[Any]:
        """Start all sends, segment by segment in turn, so that no peer waits for another's whole message."""
        for send in sends:
            if _place(send.data) not in self._outgoing:
                self._outgoing[_place(send.data)] = self._copy_out(send.data)
        cuts = [self._cuts(send.data.nbytes, whole=send.whole) for send in sends]
        requests = []
        for number in range(max(map(len, cuts), default=0)):
            for send, own in zip(sends, cuts, strict=True):
                if number < len(own):
                    requests.append(self._send_segment(send, own[number]))
        self.messages += len(requests)
        return requests

    def _send_segment(self, send: Send, cut: slice) -> Any:
        outgoing = self._outgoing[_place(send.data)]
        for wait in outgoing.copied[cut.start // self._segment_bytes : -(-cut.stop // self._segment_bytes)]:
            wait()
        return self._communicator.Isend([outgoing.room[cut].numpy(), MPI.BYTE], send.peer, send.tag)

    def _land(
        self, receives: Sequence[Receive], incoming: Sequence[_Incoming], posted: Sequence[Sequence[Any]]
    ) -> None:
        """Copy every segment to the device once it has come."""
        requests = [request for of_message in posted for request in of_message]
        owners = [
            (one, cut)
            for receive, one in zip(receives, incoming, strict=True)
            for cut in self._cuts(one.room.nbytes, whole=receive.whole)
        ]
        status = MPI.Status()
        for _ in owners:
            one, cut = owners[MPI.Request.Waitany(requests, status)]
            came = slice(cut.start, cut.start + status.Get_count(MPI.BYTE))
            one.received_bytes += came.stop - came.start
            one.copied.append(self._copies.begin(one.into[came], one.room[came]))

    def _give_back(self, outgoing: _Outgoing) -> None:
        for wait in outgoing.copied:  # or a copy would write where the room is used next
            wait()
        self._rooms.give(outgoing.room)


def carrier_of(device: torch.device, communicator: MPI.Intracomm) -> Carrier:
    """What carries messages of tensors on `device`."""
    if device.type == "cpu":
        return DirectCarrier(communicator)
    return StagedCarrier(communicator, CudaCopies(device))


def _place(payload: Bytes) -> _Place:
    return payload.data_ptr(), payload.nbytes
