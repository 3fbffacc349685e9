"""A worker's main loop: hear a command, do it, answer."""

from __future__ import annotations

import gc
import os
import traceback
from multiprocessing.connection import Client, Connection

import torch

from testbed.workers.cell_runner import CellRunner
from testbed.workers.counters import interface_totals, own_sockets
from testbed.workers.mpi import MPI
from testbed.workers.protocol import (
    CONTROL_VARIABLE,
    Block,
    Command,
    Counters,
    Failed,
    Hello,
    Prepare,
    Quit,
    Reply,
    Snapshot,
    StepTaken,
)
from testbed.workers.transport import connect_all


class Worker:
    """Answers the session's commands; keeps the cell under way and the counters between them."""

    def __init__(self, connection: Connection, communicator: MPI.Intracomm) -> None:
        self._connection = connection
        self._communicator = communicator
        self._runner: CellRunner | None = None

    @property
    def rank(self) -> int:
        """This worker's number, from 0."""
        return self._communicator.rank

    def serve(self) -> None:
        """Answer commands until told to quit; a command that fails is answered with the reason."""
        self._connection.send(Hello(self.rank, MPI.Get_library_version().splitlines()[0]))
        while not isinstance(command := self._connection.recv(), Quit):
            try:
                reply = self._do(command)
            except Exception as error:
                reply = Failed(self.rank, f"{type(error).__name__}: {error}", traceback.format_exc())
            self._connection.send(reply)

    def _do(self, command: Command) -> Reply:
        match command:
            case Prepare():
                self._runner = CellRunner(command, self._communicator)
                return self._runner.ready()
            case Block():
                return self._cell().run(command, self._say_step)
            case Snapshot():
                transport = self._cell().transport
                return Counters(transport.handed_bytes, transport.messages, own_sockets(), interface_totals())
        raise TypeError(f"a worker does not know the command {command!r}")

    def _cell(self) -> CellRunner:
        if self._runner is None:
            raise RuntimeError("no cell was prepared")
        return self._runner

    def _say_step(self, step: int) -> None:
        if self.rank == 0:
            self._connection.send(StepTaken(step))


def main() -> int:
    """Initialise MPI, serve the session, finalize. Returns the exit status."""
    gc.disable()  # a collection writes to every object, and so copies every page that the fork shares
    torch.set_num_threads(1)
    MPI.Init()
    connect_all(MPI.COMM_WORLD)
    with Client(os.environ[CONTROL_VARIABLE], family="AF_UNIX") as connection:
        Worker(connection, MPI.COMM_WORLD).serve()
    MPI.Finalize()
    return 0
