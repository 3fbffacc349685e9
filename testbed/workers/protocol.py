"""What the session tells its workers, and what they answer, over Unix sockets (never over the emulated links)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from testbed.profiles.profile import Profile

PARTS = ("compute", "encode", "communicate", "decode", "apply")
# What a time line shows: the parts, but an exchange in two: until all sends are complete at this end, then until all
# receives are.
SEND, WAIT = "send", "wait"
LIBRARY_ALLREDUCE = "allreduce (MPI)"
CONTROL_VARIABLE = "GRADWIRE_CONTROL"  # path of the session's socket


@dataclass(frozen=True)
class Hello:
    """First word of a worker."""

    rank: int
    mpi_library: str


@dataclass(frozen=True)
class Prepare:
    """Set up a cell: connections, model, gradients, algorithm, codec. Answered by `Ready`."""

    cell: Mapping[str, Any]
    recording: str | None  # folder of recorded gradients; None: compute them live
    profile: Profile  # what work takes on the cell's device: read and checked once, by the session
    kept: bytes | None = None  # of a training that goes on: what this worker had (testbed.training.kept)


@dataclass(frozen=True)
class Ready:
    """The cell's facts that a worker knows."""

    parameters: int
    period: int
    samples: int
    dataset: str
    device: str = "cpu"  # that the worker computes on, in words


@dataclass(frozen=True)
class Block:
    """Take steps one after another, without a barrier between them. Answered by `BlockDone`."""

    first_step: int
    compute_s: tuple[float, ...]  # this worker's seconds of gradient computation, per step
    traced_steps: int = 0  # how many of them, the last, the answer has the slices of


@dataclass(frozen=True)
class StepTaken:
    """Worker 0 took a step: a sign of life, and what the progress display shows."""

    step: int


@dataclass(frozen=True)
class Slice:
    """What a worker did in part of a step, in seconds of the workers' clock.

    The slices of a step do not overlap; their durations add up to its parts.
    """

    name: str  # a part, SEND, WAIT or LIBRARY_ALLREDUCE
    start_s: float
    duration_s: float
    messages: tuple[tuple[int, int], ...] = ()  # peer and bytes of each that was sent, or waited for


@dataclass(frozen=True, kw_only=True)
class StepCounts:
    """What a worker lost and counted in a step."""

    loss: float  # of its batch, before the step
    declared_bytes: int  # by the algorithm's formula
    handed_bytes: int  # to MPI
    coded_bytes: int = 0  # that its codec made, in a whole training
    coded_components: int = 0  # of the vectors that they were made of


@dataclass(frozen=True)
class BlockDone:
    """Clock readings (seconds, monotonic, one clock for all workers) and the parts of each step."""

    start_s: float
    ends_s: tuple[float, ...]
    parts_s: Mapping[str, tuple[float, ...]]
    declared_bytes: int  # by the algorithm's formula, over the block
    overruns: int = 0  # calls that took longer than the profile says, over the block
    overrun_s: float = 0.0  # by so much, together
    slices: tuple[tuple[Slice, ...], ...] = ()  # of each traced step, in order
    taken: tuple[StepCounts, ...] = ()  # each step, but for its times


@dataclass(frozen=True)
class Keep:
    """Say all that the next step depends on, between two blocks. Answered by `Kept`."""


@dataclass(frozen=True)
class Kept:
    """This worker's replica, and what its algorithm and workload keep (testbed.training.kept)."""

    content: bytes


@dataclass(frozen=True)
class Snapshot:
    """Read the byte counters. Answered by `Counters`."""


@dataclass(frozen=True)
class SocketCounters:
    """One TCP connection's TCP_INFO, as counted by the sending kernel."""

    peer: str  # address of the other host
    payload_bytes: int  # sent for the first time
    acked_bytes: int
    retransmitted_bytes: int
    segments: int  # of at most one MTU, ACKs included
    data_segments: int
    needless: int = 0  # repeats that the other side reported as such, in an option of its acknowledgements


@dataclass(frozen=True)
class Counters:
    """What one worker handed to MPI, what its sockets sent, what its host's interfaces transmitted, how it waited."""

    handed_bytes: int
    messages: int
    sockets: Mapping[tuple[int, str, int], SocketCounters] = field(default_factory=dict)
    interfaces: Mapping[str, tuple[int, int]] = field(default_factory=dict)  # name: (bytes, packets)
    waited_s: float = 0.0  # for a processor, since it began


@dataclass(frozen=True)
class Leave:
    """End the cell and close its connections. Answered by `Left`."""


@dataclass(frozen=True)
class Left:
    """The worker has no connection to another any more."""


@dataclass(frozen=True)
class Quit:
    """End the worker."""


@dataclass(frozen=True)
class Failed:
    """A worker could not do what it was told; one sentence, and where it happened."""

    rank: int
    reason: str
    traceback: str = ""
    diverged: bool = False  # whether it could not because of the numbers that it trained with


Command = Prepare | Block | Keep | Snapshot | Leave | Quit
Reply = Hello | Ready | BlockDone | Kept | Counters | Left | Failed
