"""A worker's main loop: hear a command, do it, answer."""

from __future__ import annotations

import gc
import os
import traceback
from multiprocessing.connection import Client, Connection

import torch

from algorithms.finite import UnsendableError
from testbed.workers.cell_runner import CellRunner
from testbed.workers.connections import Connections
from testbed.workers.counters import interface_totals, own_sockets, waited_s
from testbed.workers.mpi import MPI
from testbed.workers.protocol import (
    CONTROL_VARIABLE,
    Block,
    Command,
    Counters,
    Failed,
    Hello,
    Keep,
    Kept,
    Leave,
    Left,
    Prepare,
    Quit,
    Ready,
    Reply,
    Snapshot,
    StepTaken,
)
from testbed.workloads.gradients import DivergedError


class Worker:
    """Answers the session's commands; keeps the cell under way, its connections and counters between them."""

    def __init__(self, control: Connection, rank: int) -> None:
        self._control = control
        self._rank = rank
        self._connections: Connections | None = None
        self._runner: CellRunner | None = None

    def serve(self) -> None:
        """Answer commands until told to quit; a command that fails is answered with the reason."""
        self._control.send(Hello(self._rank, MPI.Get_library_version().splitlines()[0]))
        while not isinstance(command := self._control.recv(), Quit):
            try:
                reply = self._do(command)
            except Exception as error:
                diverged = isinstance(error, DivergedError | UnsendableError)
                reply = Failed(self._rank, f"{type(error).__name__}: {error}", traceback.format_exc(), diverged)
            self._control.send(reply)

    def _do(self, command: Command) -> Reply:
        match command:
            case Prepare():
                return self._prepare(command)
            case Block():
                return self._cell().run(command, self._say_step)
            case Keep():
                return Kept(self._cell().keep())
            case Snapshot():
                transport = self._cell().transport
                sent = transport.handed_bytes, transport.messages
                return Counters(*sent, own_sockets(), interface_totals(), waited_s())
            case Leave():
                self._leave()
                return Left()
        raise TypeError(f"a worker does not know the command {command!r}")

    def _prepare(self, command: Prepare) -> Ready:
        self._leave()
        self._connections = Connections()
        self._runner = CellRunner(command, self._connections.communicator)
        return self._runner.ready()

    def _leave(self) -> None:
        self._runner = None
        if self._connections is not None:
            self._connections.close()
            self._connections = None
        gc.collect()  # of what this cell left: all that is older is frozen

    def _cell(self) -> CellRunner:
        if self._runner is None:
            raise RuntimeError("no cell was prepared")
        return self._runner

    def _say_step(self, step: int) -> None:
        if self._rank == 0:
            self._control.send(StepTaken(step))


def main() -> int:
    """Serve the session. Returns the exit status."""
    gc.disable()  # a collection at a moment of Python's choice would count as the step's
    torch.set_num_threads(1)
    with Client(os.environ[CONTROL_VARIABLE], family="AF_UNIX") as control:
        Worker(control, int(os.environ["PMI_RANK"])).serve()
    return 0
