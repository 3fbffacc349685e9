"""What the session holds of its containers: a connection to the first process of each (container_init.c)."""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path

from testbed.errors import LabError

REPORT_WITHIN_S = 30.0  # from a container's start to its report
READY_WITHIN_S = 120.0  # of the worker's program, which imports torch: all of them at once
READY = b"ready\n"
START = b"s"
MOST_WORDS = 400  # characters of a program's output that an error repeats


class Connections:
    """Listens on a socket, then holds one connection for each rank. Closing them ends the containers."""

    def __init__(self, path: Path, workers: int) -> None:
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        path.chmod(0o777)  # a container's user is another one; who may come near is the folder's affair
        self._listener.listen(workers)
        self._workers = workers
        self._by_rank: dict[int, socket.socket] = {}
        self._started = False

    def accept(self) -> list[int]:
        """Wait for all reports; descriptors of the containers' network namespaces, by rank, for the caller to close.

        Raises:
            LabError: a container did not report.
        """
        namespaces: dict[int, int] = {}
        deadline_s = time.monotonic() + REPORT_WITHIN_S
        try:
            while len(namespaces) < self._workers:
                self._listener.settimeout(max(deadline_s - time.monotonic(), 0.001))
                connection, _ = self._listener.accept()
                rank, namespace = _report(connection)
                self._by_rank[rank], namespaces[rank] = connection, namespace
        except (TimeoutError, EOFError) as error:
            for descriptor in namespaces.values():
                os.close(descriptor)
            missing = ", ".join(str(rank) for rank in range(self._workers) if rank not in namespaces)
            raise LabError(
                f"the container of worker {missing} did not report within {REPORT_WITHIN_S:.0f} s: it ended at once, "
                "or its image is not for this machine"
            ) from error
        return [namespaces[rank] for rank in range(self._workers)]

    def start_programs(self) -> None:
        """Have every container start its worker's program, and wait until all are ready; once.

        Raises:
            LabError: a program ended instead, in its own words, or took too long.
        """
        if self._started:
            return
        self._started = True
        try:
            for connection in self._by_rank.values():
                connection.sendall(START)
            deadline_s = time.monotonic() + READY_WITHIN_S
            for rank, connection in self._by_rank.items():
                _await_ready(rank, connection, deadline_s)
        except OSError as error:
            raise LabError(f"a container ended while its worker's program started ({error})") from error

    def ended(self) -> list[int]:
        """Ranks whose container has ended."""
        return [rank for rank, connection in sorted(self._by_rank.items()) if _is_closed(connection)]

    def close(self) -> None:
        """Close all, which ends the containers."""
        self._listener.close()
        for connection in self._by_rank.values():
            connection.close()
        self._by_rank = {}


def _report(connection: socket.socket) -> tuple[int, int]:
    """What a container says first: its rank and, beside it, its network namespace."""
    connection.settimeout(REPORT_WITHIN_S)
    said, descriptors, _, _ = socket.recv_fds(connection, 64, 1)
    if not said.endswith(b"\n") or len(descriptors) != 1:
        raise EOFError
    return int(said), descriptors[0]


def _await_ready(rank: int, connection: socket.socket, deadline_s: float) -> None:
    said = b""
    while not said.endswith(READY):
        connection.settimeout(max(deadline_s - time.monotonic(), 0.001))
        try:
            more = connection.recv(4096)
        except TimeoutError as error:
            raise LabError(f"the program of worker {rank} was not ready within {READY_WITHIN_S:.0f} s") from error
        if not more:
            words = " | ".join(line.strip() for line in said.decode(errors="replace").splitlines() if line.strip())
            said_last = words[-MOST_WORDS:] or "it said nothing"
            raise LabError(f"the program of worker {rank} did not start in its container: {said_last}")
        said += more


def _is_closed(connection: socket.socket) -> bool:
    """Whether the other side is gone. What the program printed since is read and dropped."""
    connection.setblocking(False)
    try:
        while connection.recv(4096):
            pass
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True
