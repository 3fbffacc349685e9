"""What tests/testbed/workers/test_transport.py starts as MPI ranks; rank 0 prints what all of them found, as JSON.

One launch does everything: three ranks importing torch take seconds.
"""

from __future__ import annotations

import json
import time
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
import torch

from algorithms import lockstep, registry
from algorithms.algorithm import Algorithm, Collective, Exchange, Receive, Send, Step, Work, Worker
from algorithms.codecs.codec import create_codec
from algorithms.graphs import create_graph
from testbed.workers.meter import StepMeter
from testbed.workers.mpi import MPI
from testbed.workers.transport import MpiTransport

PARAMETERS = 1001  # divisible by neither 2 nor 3: chunks of unequal size
STEPS = 3
COPY_S = 0.02  # that staging takes, each way
ALGORITHMS = (
    ("allreduce", "fp32"),
    ("allreduce", "qsgd"),
    ("d-psgd", "fp32"),
    ("dcd-psgd", "qsgd"),
    ("ecd-psgd", "qsgd"),
)


class Unhurried(StepMeter):
    """A meter that charges nothing for work."""

    def __init__(self) -> None:
        super().__init__(lambda work, size_bytes, codec: 0.0)

    def work(self, kind: Work, size_bytes: int, codec: str = "") -> AbstractContextManager[None]:
        return nullcontext()


def exchange(rank: int, size: int) -> dict[str, Any]:
    """Every rank sends `10 * (rank + 1)` bytes to the next, with a tag, and has room for a hundred."""
    room = np.zeros(100, np.uint8)
    resumed = []

    def step() -> Step:
        send = Send((rank + 1) % size, np.full(10 * (rank + 1), rank + 1, np.uint8), tag=7)
        resumed.append((yield Exchange([send], [Receive((rank - 1) % size, room, tag=7)])))

    meter = Unhurried()
    meter.new_step(traced_from_s=time.monotonic())
    transport = MpiTransport(MPI.COMM_WORLD, meter, lambda size_bytes: COPY_S)
    transport.run(step())
    return {
        "resumed_with": list(resumed[0]),
        "received": room[: resumed[0][0]].tolist(),
        "handed": transport.handed_bytes,
        "messages": transport.messages,
        "parts": meter.parts_s,
        "slices": [(one.name, one.messages) for one in meter.slices()],
    }


def collective(rank: int, size: int) -> dict[str, Any]:
    """The library's sum of `rank + 1`."""
    values = np.full(5, rank + 1, np.float32)

    def step() -> Step:
        yield Collective(values)

    meter = Unhurried()
    meter.new_step(traced_from_s=time.monotonic())
    transport = MpiTransport(MPI.COMM_WORLD, meter, lambda size_bytes: 0.0)
    transport.run(step())
    slices = [one.name for one in meter.slices()]
    return {"sum": values.tolist(), "handed": transport.handed_bytes, "slices": slices}


def create(name: str, codec: str, rank: int, size: int) -> Algorithm:
    return registry.create(
        name,
        Worker(
            rank=rank,
            workers=size,
            parameters=PARAMETERS,
            codec=create_codec(codec, {}),
            graph=create_graph("ring", size),
        ),
    )


def gradient(rank: int, t: int) -> torch.Tensor:
    return torch.randn(PARAMETERS, generator=torch.Generator().manual_seed(100 * t + rank))


def algorithm(rank: int, size: int, name: str, codec: str) -> dict[str, Any]:
    """Some steps over MPI, and the same in lockstep: this rank's share of both."""
    transport = MpiTransport(MPI.COMM_WORLD, Unhurried(), lambda size_bytes: 0.0)
    mine, x = create(name, codec, rank, size), torch.zeros(PARAMETERS)
    everyone = [create(name, codec, other, size) for other in range(size)]
    expected = [torch.zeros(PARAMETERS) for _ in range(size)]
    declared, in_lockstep = 0, [0, 0]
    for t in range(1, STEPS + 1):
        transport.run(mine.step(x, gradient(rank, t), t, 0.1))
        declared += mine.declared_bytes(t)
        traffic = lockstep.step_all(everyone, expected, [gradient(other, t) for other in range(size)], t, 0.1)
        in_lockstep[0] += traffic.handed_bytes[rank]
        in_lockstep[1] += traffic.messages[rank]
    return {
        "moved": bool(x.abs().sum() > 0),
        "equal": torch.equal(x, expected[rank]),
        "declared": declared,
        "transport": [transport.handed_bytes, transport.messages],
        "lockstep": in_lockstep,
    }


def main() -> None:
    """Do everything, and let rank 0 print what each rank found."""
    torch.set_num_threads(1)
    MPI.Init()
    world = MPI.COMM_WORLD
    found: dict[str, Any] = {name: does(world.rank, world.size) for name, does in ACTIONS.items()}
    found |= {f"{name} {codec}": algorithm(world.rank, world.size, name, codec) for name, codec in ALGORITHMS}
    everything = world.gather(found)
    if world.rank == 0:
        print(json.dumps(everything), flush=True)
    MPI.Finalize()


ACTIONS = {"exchange": exchange, "collective": collective}

if __name__ == "__main__":
    main()
