"""The one interface of an algorithm: a generator that yields what it wants exchanged.

An algorithm performs no input or output. Its `step` is a generator: it yields an `Exchange` (or a
`Collective`) and is resumed when that is complete. What performs the exchange is a driver: MPI between
workers of a lab (testbed/workers), or `algorithms.lockstep`, which drives all the workers of one process side
by side. So the same code is measured on a network, tested without one, and trained with in a single process.

Nor does it know of devices: all its tensors, messages too, lie on `Worker.device`. What carries messages brings them to
where they can leave from.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Protocol

import torch
from pydantic import Field
from torch import Tensor

from algorithms import state
from algorithms.descent import Descent
from algorithms.options import Options
from algorithms.registration import Registry

if TYPE_CHECKING:
    from algorithms.codecs.codec import Codec
    from algorithms.graphs import MixingGraph

Bytes = Tensor  # uint8, flat and contiguous, on the worker's device


@dataclass(frozen=True)
class Send:
    """One message to a peer. `data` is not touched until the exchange is complete.

    `whole`, on both sides, where the receiver cannot know the message's size: it may not be taken apart on its way.
    """

    peer: int
    data: Bytes
    tag: int = 0
    whole: bool = False


@dataclass(frozen=True)
class Receive:
    """Room for one message from a peer.

    A shorter message than the room is admitted where it is `whole`, a longer one is an error.
    """

    peer: int
    into: Bytes
    tag: int = 0
    whole: bool = False


@dataclass(frozen=True)
class Exchange:
    """Messages that travel at once.

    The generator is resumed with the number of bytes received, per `Receive`.
    """

    sends: Sequence[Send] = field(default_factory=tuple)
    receives: Sequence[Receive] = field(default_factory=tuple)


@dataclass(frozen=True)
class Collective:
    """The MPI library's own sum over all workers, in place.

    A named variant beside our own exchange patterns.
    """

    values: Tensor  # float32, flat and contiguous, on the worker's device


Operation = Exchange | Collective
Step = Generator[Operation, Sequence[int], None]


class Work(StrEnum):
    """What a worker computes inside a step, besides the gradient.

    A device profile has seconds per byte of each.
    """

    ENCODE = "encode"
    DECODE = "decode"
    REDUCE = "reduce"  # adding a received vector to a partial sum; counted in the part `decode`
    APPLY = "apply"  # updating parameters, mixing neighbours' models


@dataclass(frozen=True)
class Charge:
    """Encoding or decoding to be charged: the name of a cost in a device profile, and of how many components."""

    name: str
    components: int


class Meter(Protocol):
    """Times (host lab) or charges (virtual lab) work done inside a step."""

    def work(self, kind: Work, size_bytes: int, codec: str = "") -> AbstractContextManager[None]:
        """Enclose work on `size_bytes` of fp32 values (the uncompressed size).

        `codec` names whose encode/decode.
        """

    def coding(self, kind: Work, charges: Sequence[Charge]) -> AbstractContextManager[None]:
        """Enclose a codec's encode or decode, which is all of `charges`."""


@dataclass(frozen=True)
class Layer:
    """A named tensor's place in the flat parameter vector: [start, stop)."""

    name: str
    start: int
    stop: int
    shape: tuple[int, ...]


def no_announcement(payload: Bytes) -> None:
    """Messages leave from where they lie: nothing can be made ready for them."""
    del payload


class Unmetered:
    """The meter of tests and single-process training: takes no notice."""

    def work(self, kind: Work, size_bytes: int, codec: str = "") -> AbstractContextManager[None]:
        """Nothing."""
        del kind, size_bytes, codec
        return nullcontext()

    def coding(self, kind: Work, charges: Sequence[Charge]) -> AbstractContextManager[None]:
        """Nothing."""
        del kind, charges
        return nullcontext()


@dataclass(frozen=True, kw_only=True)
class Worker:
    """What one worker's algorithm is given: its place, the model's shape, and the parts it is to use.

    The codec keeps scratch space, so that each worker has its own. `options` are as in a sweep file; they are
    checked by `algorithms.registry.create`.
    """

    rank: int
    workers: int
    parameters: int  # components of the flat parameter vector
    codec: Codec
    graph: MixingGraph | None = None  # decentralized algorithms only
    layers: Sequence[Layer] = ()  # for errors that name a tensor, and for what is chosen by layer
    seed: int = 1
    meter: Meter = field(default_factory=Unmetered)
    options: Mapping[str, Any] = field(default_factory=dict)
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))  # where all its tensors lie
    # Told of a payload that the next exchange will send: it can be made ready while others are still encoded.
    announce: Callable[[Bytes], None] = no_announcement


class AlgorithmOptions(Options):
    """Options of every algorithm: the direction of descent. Default: plain SGD, as the papers analyse it."""

    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.0
    weight_decay: Annotated[float, Field(ge=0)] = 0.0


class Algorithm(ABC):
    """One worker's side of a distributed SGD algorithm. All workers start from the same x."""

    name: ClassVar[str]
    Options: ClassVar[type[AlgorithmOptions]] = AlgorithmOptions
    costs: ClassVar[tuple[str, ...]] = ()  # in a device profile, of work on whole vectors that its codec does not do
    # As long as x, x included, that a worker with an exact codec has at once, at most: what memory is planned by.
    vectors: ClassVar[int] = 10
    period: int = 1  # steps after which the pattern of communication repeats
    # Attributes that the next step depends on, beside x and the velocity: tensors, None, or mappings of them by rank.
    keeps: ClassVar[tuple[str, ...]] = ()

    def __init__(self, worker: Worker, options: Any) -> None:
        """`options` is an instance of this class's `Options`.

        Raises ValueError for what does not go together.
        """
        if worker.workers < 2 or not 0 <= worker.rank < worker.workers:
            raise ValueError(
                f"algorithm {self.name}: rank {worker.rank} of {worker.workers} workers; "
                "needs at least 2 workers, with ranks from 0"
            )
        self.worker = worker
        self.descent = Descent(worker.parameters, options.momentum, options.weight_decay, worker.device)

    @abstractmethod
    def step(self, x: Tensor, gradient: Tensor, t: int, rate: float) -> Step:
        """Step t = 1, 2, ...: update flat float32 `x` in place; `gradient` was taken at it.

        `gradient` is read only (it may be a mapped file). ValueError for one that is not finite, naming
        tensor, worker and step.
        """

    @abstractmethod
    def declared_bytes(self, t: int) -> int:
        """The bytes that this worker hands over in step t: all its `Send`s, or its `Collective`."""

    def selected_bytes(self, t: int) -> int | None:
        """The bytes that stand for this worker's vector in step t, where it selects components of it itself.

        None where its codec has all of them.
        """
        del t
        return None

    @classmethod
    def theory_q(cls, options: Any, samples: int | None) -> float | None:
        """The noise q = alpha^2 of codes with which it converges as fast as without; None where no theory names one.

        `samples`: m of a worker's batch of partitioned data; None where all workers draw from the same data.
        """
        del options, samples
        return None

    def advice(self) -> tuple[str, ...]:
        """Sentences on what in this combination theory does not cover; nothing here stops a run."""
        return ()

    def save(self) -> dict[str, Tensor]:
        """All that the next step depends on beside x, by name; no copies."""
        return state.save(self, self._kept)

    def restore(self, saved: Mapping[str, Tensor]) -> None:
        """Go on where the worker whose `save` this is would; ValueError if it had another algorithm."""
        state.restore(self, self._kept, saved, self.worker.device)

    @property
    def _kept(self) -> tuple[str, ...]:
        return ("descent.velocity", *self.keeps)


ALGORITHMS: Registry[type[Algorithm]] = Registry("algorithm", "algorithms", group="gradwire.algorithms", base=Algorithm)
