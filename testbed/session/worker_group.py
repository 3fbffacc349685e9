"""The workers of one network: launched by mpiexec, spoken to over a Unix socket."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from multiprocessing.connection import Connection, Listener, wait
from pathlib import Path
from typing import TypeVar

from testbed.errors import LabError
from testbed.session.fork_server import HOSTS_VARIABLE
from testbed.session.timeline import Timeline
from testbed.workers.protocol import CONTROL_VARIABLE, Command, Failed, Hello, Prepare, Quit, Reply, StepTaken

# Why each: TCP alone between ranks, also of one machine (NOLOCAL); one interface; sends that complete when the kernel
# has the data. MPICH asks for delivery acknowledgements only to support one-sided operations, which nothing here uses;
# with them every message would wait for a round trip.
MPI_VARIABLES = {
    "MPIR_CVAR_CH4_NETMOD": "ofi",
    "MPIR_CVAR_NOLOCAL": "1",
    "MPIR_CVAR_CH4_OFI_ENABLE_RMA": "0",
    "MPIR_CVAR_CH4_OFI_ENABLE_ATOMICS": "0",
    "FI_PROVIDER": "tcp",
    "OMP_NUM_THREADS": "1",
}
MPI_HEADER_BYTES = 32  # libfabric's tcp provider sends this before each tagged message with immediate data
START_TIMEOUT_S = 120.0
LOOK_AFTER_S = 5.0  # of silence, at the network: TCP itself would try for a quarter of an hour
# Of every session that a process ends MPICH 5.0 keeps a descriptor, and places on a stack that is full after 64.
CELLS_OF_A_LAUNCH = 32

R = TypeVar("R", bound=Reply)


class WorkerFailure(LabError):  # noqa: N818 (the word of the event and the document: the cell has failed)
    """A worker raised, died or fell silent: the cell under way has no result, and the group must be closed."""


class WorkerDiverged(WorkerFailure):
    """A worker's numbers are not finite any more, which is no fault of the lab's."""


class WorkerGroup:
    """MPI ranks, one in the network namespace of each host. Closing the group ends every process of it.

    `hosts` are, by rank, a process in the host's namespace (None where the worker begins in it) and the interface with
    its address. `folder` is one in which workers reach sockets.
    """

    def __init__(
        self,
        *,
        hosts: Sequence[tuple[int | None, str]],
        rank_command: Sequence[str],
        folder: Path,
        environment: Mapping[str, str],
        on_step: Callable[[int], None] = lambda _: None,
        lost: Callable[[], str | None] = lambda: None,
    ) -> None:
        """`lost`: what of the network is gone, so that workers wait in vain; asked when they have long been silent."""
        self._on_step = on_step
        self._lost = lost
        control = folder / f"control-{time.monotonic_ns()}"
        self._listener = Listener(str(control), family="AF_UNIX", backlog=len(hosts))
        control.chmod(0o777)  # workers may be another user; who may come near is the folder's affair
        self._log = (folder / "mpiexec.log").open("ab")
        variables = MPI_VARIABLES | {
            CONTROL_VARIABLE: str(control),
            HOSTS_VARIABLE: ",".join(f"{pid or ''}:{interface}" for pid, interface in hosts),
        }
        self._mpiexec = subprocess.Popen(
            [self._mpiexec_path(), "-launcher", "fork", "-n", str(len(hosts)), *rank_command],
            env={**os.environ, **environment, **variables},
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
            start_new_session=True,
        )
        self.mpi_library = ""
        self._cells = 0
        self._connections: list[Connection] = []
        try:
            self._connections = self._accept(len(hosts))
        except BaseException:
            self.close()
            raise

    @staticmethod
    def _mpiexec_path() -> str:
        return str(Path(sys.executable).with_name("mpiexec"))

    def _accept(self, workers: int) -> list[Connection]:
        found: dict[int, Connection] = {}
        socket = self._listener._listener._socket  # type: ignore[attr-defined]
        socket.settimeout(START_TIMEOUT_S)
        for _ in range(workers):
            try:
                connection = self._listener.accept()
            except TimeoutError as error:
                missing = sorted(set(range(workers)) - set(found))
                raise WorkerFailure(f"workers {missing} did not start within {START_TIMEOUT_S:.0f} s") from error
            try:
                hello = connection.recv()
            except (EOFError, OSError) as error:
                raise WorkerFailure("a worker died while it started; mpiexec's log says why") from error
            assert isinstance(hello, Hello)
            found[hello.rank] = connection
            self.mpi_library = hello.mpi_library
        return [found[rank] for rank in range(workers)]

    @property
    def worn_out(self) -> bool:
        """Whether these workers have taken all the cells that they can."""
        return self._cells >= CELLS_OF_A_LAUNCH

    def ask(
        self, commands: Sequence[Command], reply_type: type[R], timeout_s: float, timeline: Timeline | None = None
    ) -> list[R]:
        """Give each worker its command and collect the answers, in rank order.

        `timeline` begins when all have been told, and ends with the last answer.

        Raises WorkerFailure when a worker answers with a failure, dies, or is silent for `timeout_s`.
        """
        timeline = timeline or Timeline()
        self._cells += isinstance(commands[0], Prepare)
        for rank, (connection, command) in enumerate(zip(self._connections, commands, strict=True)):
            try:
                connection.send(command)
            except OSError as error:
                raise WorkerFailure(f"worker {rank} died") from error
        timeline.begin()
        replies: dict[int, R] = {}
        deadline = time.monotonic() + timeout_s
        waiting = {connection: rank for rank, connection in enumerate(self._connections)}
        while waiting:
            timeline.act()
            ready = wait(list(waiting), max(min(deadline - time.monotonic(), timeline.patience_s, LOOK_AFTER_S), 0.0))
            if not ready and time.monotonic() >= deadline:
                raise WorkerFailure(f"workers {sorted(waiting.values())} were silent for {timeout_s:.0f} s")
            if not ready and self._lost() is not None:
                raise WorkerFailure(f"workers {sorted(waiting.values())} wait in vain")
            for connection in (one for one in ready if isinstance(one, Connection)):
                rank = waiting[connection]
                reply = self._hear(connection, rank)
                if isinstance(reply, StepTaken):
                    self._on_step(reply.step)
                    deadline = time.monotonic() + timeout_s
                else:
                    assert isinstance(reply, reply_type)
                    replies[rank] = reply
                    del waiting[connection]
        return [replies[rank] for rank in range(len(self._connections))]

    def _hear(self, connection: Connection, rank: int) -> Reply | StepTaken:
        try:
            reply: Reply | StepTaken = connection.recv()
        except (EOFError, OSError) as error:
            raise WorkerFailure(f"worker {rank} died") from error
        if isinstance(reply, Failed):
            self._log.write(reply.traceback.encode())
            kind = WorkerDiverged if reply.diverged else WorkerFailure
            raise kind(f"worker {reply.rank}: {reply.reason}")
        return reply

    def close(self, patience_s: float = 10.0) -> None:
        """End the workers: ask, then, after `patience_s`, kill mpiexec, which takes its ranks along."""
        for connection in self._connections:
            with contextlib.suppress(OSError):  # that worker is gone already
                connection.send(Quit())
        if not self._connections:
            patience_s = 0.0
        try:
            self._mpiexec.wait(patience_s)
        except subprocess.TimeoutExpired:
            self._mpiexec.terminate()
            try:
                self._mpiexec.wait(patience_s or 1.0)
            except subprocess.TimeoutExpired:
                self._mpiexec.kill()
                self._mpiexec.wait()
        for connection in self._connections:
            connection.close()
        self._listener.close()
        self._log.close()
