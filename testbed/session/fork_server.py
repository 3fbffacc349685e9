"""The fork server: a process that has imported torch once, and becomes a worker by forking.

Started as `python -m testbed.session.fork_server SOCKET`. Each connection comes from `join_rank` (join_rank.c), which
mpiexec started as a rank: it brings the rank's environment and descriptors. The server forks, the child enters the
network namespace of its emulated host and runs the worker, and the exit status goes back to `join_rank`. When
`join_rank` is killed (mpiexec ends its ranks so), its connection closes and the worker is killed.
"""

from __future__ import annotations

import array
import contextlib
import ctypes
import gc
import os
import selectors
import signal
import socket
import struct
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

DESCRIPTORS = 4  # standard input, output, error; PMI_FD
CLONE_NEWNET = 0x40000000
PR_SET_TIMERSLACK = 29
# The emulated hosts by rank, comma separated; each is `pid:interface`, a process in its network namespace (nothing
# where this server is in it already) and the interface that carries its address.
HOSTS_VARIABLE = "GRADWIRE_HOSTS"

_libc = ctypes.CDLL(None, use_errno=True)


def enter_network_namespace(pid: int) -> None:
    """Move the calling thread into the network namespace of a process; raises OSError."""
    with Path(f"/proc/{pid}/ns/net").open("rb") as namespace:
        if _libc.setns(namespace.fileno(), CLONE_NEWNET) != 0:
            error = ctypes.get_errno()
            raise OSError(error, f"cannot enter the network namespace of process {pid}: {os.strerror(error)}")


def exact_sleeps() -> None:
    """Make this process's sleeps end on time: the kernel's default slack of 50 us is a third of a short RTT."""
    _libc.prctl(PR_SET_TIMERSLACK, ctypes.c_ulong(1), 0, 0, 0)


def _receive_request(connection: socket.socket) -> tuple[dict[str, str], list[int]]:
    """The environment and the descriptors that `join_rank` sends."""
    room = socket.CMSG_SPACE(DESCRIPTORS * array.array("i").itemsize)
    data, ancillary, _, _ = connection.recvmsg(4, room)
    fds = array.array("i")
    for level, kind, payload in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            fds.frombytes(payload)
    (size,) = struct.unpack("=I", data)
    block = bytearray()
    while len(block) < size:
        block += connection.recv(size - len(block))
    entries = (entry.decode(errors="surrogateescape").partition("=") for entry in bytes(block).split(b"\0") if entry)
    return {name: value for name, _, value in entries}, list(fds)


def _become_worker(environment: dict[str, str], fds: list[int], work: Callable[[], int]) -> int:
    """In the forked child: take over the rank's environment and descriptors, then work. Returns the exit status."""
    for wanted, fd in enumerate(fds[:3]):
        os.dup2(fd, wanted)
    os.environ.clear()
    os.environ.update(environment, PMI_FD=str(fds[3]))
    os.set_inheritable(fds[3], True)
    if hosts := environment.get(HOSTS_VARIABLE):
        pid, interface = hosts.split(",")[int(environment["PMI_RANK"])].split(":")
        if pid:
            enter_network_namespace(int(pid))
        os.environ["FI_TCP_IFACE"] = interface
    return work()


class ForkServer:
    """Forks a worker for every connection, and reports its exit status on it."""

    def __init__(self, path: Path, work: Callable[[], int]) -> None:
        self._work = work
        self._selector = selectors.DefaultSelector()
        self._children: dict[int, socket.socket] = {}
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen(64)
        self._selector.register(self._listener, selectors.EVENT_READ)
        # A child's end must wake the selector: the signal writes a byte into this pipe.
        self._wake_read, wake_write = os.pipe()
        os.set_blocking(self._wake_read, False)
        os.set_blocking(wake_write, False)
        signal.set_wakeup_fd(wake_write)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self._selector.register(self._wake_read, selectors.EVENT_READ)

    def serve(self) -> None:
        """Serve until killed."""
        while True:
            for key, _ in self._selector.select():
                if key.fileobj is self._listener:
                    self._start(self._listener.accept()[0])
                elif key.fileobj == self._wake_read:
                    os.read(self._wake_read, 4096)
                    self._reap()
                else:
                    self._rank_is_gone(key.data)

    def _start(self, connection: socket.socket) -> None:
        environment, fds = _receive_request(connection)
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                signal.set_wakeup_fd(-1)
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                status = _become_worker(environment, fds, self._work)
            except BaseException:
                traceback.print_exc()
            finally:
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(status)
        for fd in fds:
            os.close(fd)
        self._children[pid] = connection
        self._selector.register(connection, selectors.EVENT_READ, data=pid)

    def _reap(self) -> None:
        while self._children:
            pid, wait_status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            connection = self._children.pop(pid)
            self._selector.unregister(connection)
            code = os.waitstatus_to_exitcode(wait_status)
            with contextlib.suppress(BrokenPipeError):  # the rank was killed at the same moment
                connection.sendall(struct.pack("=i", code if code >= 0 else 128 - code))
            connection.close()

    def _rank_is_gone(self, pid: int) -> None:
        """The rank's connection closed before its worker ended: mpiexec gave it up."""
        if pid not in self._children:
            return  # the worker ended at the same moment, and was reaped first
        self._selector.unregister(self._children[pid])
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        self._children.pop(pid).close()


def main() -> None:
    """Import what workers need, then serve on the socket named by the only argument."""
    from testbed.workers import worker

    exact_sleeps()
    gc.collect()
    gc.freeze()  # a collection in a worker would otherwise write to, and so copy, every shared page
    server = ForkServer(Path(sys.argv[1]), worker.main)
    print("ready", flush=True)
    server.serve()


if __name__ == "__main__":
    main()
