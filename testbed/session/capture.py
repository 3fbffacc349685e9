"""Packet captures of a cell: tcpdump at one end of every link, into a pcap file for each.

A link is captured at its worker's end, in both directions: packets that leave have been through the end's queue, and
what that dropped is not there. docs/captures.md says which times they carry.
"""

from __future__ import annotations

import errno
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from testbed.errors import LabError
from testbed.session.pcap import count_packets
from topologies.namespace import inside
from topologies.wiring import LinkEnd, Wiring, reverse

PROGRAM = "tcpdump"
SNAP_BYTES = 128  # of each packet: all headers, and MPI's own
LISTENING = b"listening on"
# The kernel hands over what it has gathered once a second, as tcpdump asks it to; what is not handed over is lost.
HANDED_OVER_WITHIN_S = 1.5
STOPPED_WITHIN_S = 60.0
_FULL = (errno.ENOSPC, errno.EDQUOT)
_COUNT = re.compile(rb"(\d+) packets? (captured|dropped by kernel)")


class CaptureFailure(LabError):  # noqa: N818 (as WorkerFailure)
    """A cell's packets could not be captured: the cell has no result, and the next can be measured."""


@dataclass(frozen=True)
class Tap:
    """Where a link is captured. Its name tells the two ends, the captured one first."""

    name: str
    interface: str
    pid: int  # a process in the network namespace of the captured end


def taps(wiring: Wiring, pid_of: Callable[[str], int]) -> list[Tap]:
    """One for each link, in the order of the wiring."""
    forward = wiring.ends[: len(wiring.ends) // 2]
    ends = [end if _is_first(end, wiring) else reverse(end) for end in forward]
    return [Tap(f"{_short(end.node)}-{_short(end.peer)}", end.interface, pid_of(end.node)) for end in ends]


def _is_first(end: LinkEnd, wiring: Wiring) -> bool:
    return end.node in wiring.workers or end.peer not in wiring.workers


def _short(node: str) -> str:
    """A node's name without the prefix of what is ours: `w0`."""
    return node.rpartition("-")[2]


class Capture:
    """Captures the packets of all links while it is entered.

    Entering and leaving raise CaptureFailure where a file cannot be written; no file is left then.
    """

    def __init__(self, links: Sequence[Tap], folder: Path) -> None:
        self._links = links
        self._folder = folder
        self._processes: list[subprocess.Popen[bytes]] = []
        self._counts: dict[str, Any] = {}

    def __enter__(self) -> Self:
        try:
            self._folder.mkdir(parents=True)
            for link in self._links:
                self._processes.append(self._start(link))
            for link, process in zip(self._links, self._processes, strict=True):
                _await_listening(link, process)
        except BaseException as error:
            self._give_up(error)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is None:
                self._counts = self._stop()
        except BaseException as failure:
            self._give_up(failure)
            raise
        if error is not None:
            self._give_up(error)

    def report(self) -> dict[str, Any]:
        """The cell document's `capture`: how much of each packet, and by link the packets, and those lost."""
        return {"snap_bytes": SNAP_BYTES, "links": self._counts}

    def _path(self, link: Tap) -> Path:
        return self._folder / f"{link.name}.pcap"

    def _start(self, link: Tap) -> subprocess.Popen[bytes]:
        # It writes to a file that is open already: in a guest that an ordinary user started, root opens files of that
        # user by a privilege which tcpdump gives up.
        words = [PROGRAM, "-p", "-n", "-s", str(SNAP_BYTES), "-Z", "root", "-i", link.interface, "-w", "-"]
        with self._path(link).open("wb") as file:
            try:
                with inside(link.pid):
                    return subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.PIPE)
            except OSError as error:
                raise CaptureFailure(f"{PROGRAM} cannot be started: {error.strerror}") from error

    def _stop(self) -> dict[str, Any]:
        time.sleep(HANDED_OVER_WITHIN_S)
        for process in self._processes:
            process.send_signal(signal.SIGINT)
        return {
            link.name: self._whole(link, process) for link, process in zip(self._links, self._processes, strict=True)
        }

    def _whole(self, link: Tap, process: subprocess.Popen[bytes]) -> dict[str, Any]:
        """The counts of a file that holds all that was captured."""
        try:
            said = process.communicate(timeout=STOPPED_WITHIN_S)[1]
        except subprocess.TimeoutExpired as error:
            raise CaptureFailure(
                f"the capture of link {link.name} did not end within {STOPPED_WITHIN_S:.0f} s"
            ) from error
        counts = {what: int(number) for number, what in _COUNT.findall(said)}
        if counts.keys() != {b"captured", b"dropped by kernel"}:
            raise CaptureFailure(f"the capture of link {link.name} ended early: {_one_line(said)}")
        captured, kept = counts[b"captured"], count_packets(self._path(link))
        if kept < captured:  # tcpdump takes no notice of a file that it could not write
            raise CaptureFailure(
                _incomplete(self._folder, f"of link {link.name} {kept} of {captured} packets are kept")
            )
        return {
            "interface": link.interface,
            "packets": captured,
            "dropped": counts[b"dropped by kernel"],
        }

    def _give_up(self, error: BaseException) -> None:
        """End all, and free what the files took. CaptureFailure where it was the disk that failed."""
        for process in self._processes:
            process.kill()
            process.communicate()
        shutil.rmtree(self._folder, ignore_errors=True)
        if isinstance(error, OSError) and error.errno in _FULL:
            raise CaptureFailure(_incomplete(self._folder, error.strerror)) from error


def _await_listening(link: Tap, process: subprocess.Popen[bytes]) -> None:
    assert process.stderr is not None
    said = b""
    while LISTENING not in said:
        line = process.stderr.readline()
        if not line:
            raise CaptureFailure(f"the capture of link {link.name} did not begin: {_one_line(said)}")
        said += line


def _incomplete(folder: Path, what: str | None) -> str:
    return (
        f"the disk is full: the packet captures in {folder} are incomplete ({what}); make room, or capture fewer cells"
    )


def _one_line(said: bytes) -> str:
    return " ".join(said.decode(errors="replace").split()) or "it gave no reason"
