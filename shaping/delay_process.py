"""The process that holds packets (delay_line.c): started once for a running network, told each network's delays."""

from __future__ import annotations

import select
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from shaping.delay_lines import DelayLine
from testbed.errors import LabError

ANSWER_WITHIN_S = 5.0


@dataclass(frozen=True)
class Counts:
    """What a delay line did since it was set."""

    held: int
    taken: int
    released: int
    dropped: int  # as the loss that was asked for
    overrun: int  # times that the kernel had more to tell than room for it: packets were lost
    late_max_ns: int
    late_sum_ns: int


class DelayProcess:
    """A running delay_line. Closing it drops what it holds."""

    def __init__(self, program: Path, queues: Sequence[tuple[int, int, int]], *, offset_ns: int) -> None:
        """`queues`: for each line a process in its namespace, its number there, and the number of the link it ends.

        LabError if it does not start.
        """
        words = [str(program), str(offset_ns), *(":".join(map(str, queue)) for queue in queues)]
        try:
            self._process = subprocess.Popen(
                words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, bufsize=1
            )
        except OSError as error:
            raise LabError(f"the delay line {program} cannot be started: {error.strerror}; run make setup") from error
        self.real_time = self._hear() == "ready real-time"

    def set_all(self, lines: Sequence[DelayLine]) -> None:
        """Delay the packets of all lines from now on; counts and draws begin anew."""
        for number, line in enumerate(lines):
            self.change(number, line)
            self._ask(f"reset {number} {line.seed}")

    def change(self, number: int, line: DelayLine) -> None:
        """Delay the packets that come to a line from now on otherwise; its counts and draws go on."""
        self._ask(
            f"change {number} {line.delay_ns} {line.deviation_ns} {line.loss!r} "
            f"{line.link_ns_per_byte!r} {line.before_ns_per_byte!r}"
        )

    def set_offset(self, offset_ns: int) -> None:
        """Let packets go that much earlier: what netfilter and the process take themselves."""
        self._ask(f"offset {offset_ns}")

    def counts(self, number: int) -> Counts:
        """What a line did since it was set."""
        return Counts(*(int(word) for word in self._ask(f"counts {number}").split()))

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            if stream is not None:
                stream.close()

    def _ask(self, command: str) -> str:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(f"{command}\n")
            self._process.stdin.flush()
        except OSError as error:
            raise self._died() from error
        answer = self._hear()
        if not answer.startswith("ok"):
            raise LabError(f"the delay line refused {command!r}: {answer}")
        return answer.removeprefix("ok").strip()

    def _hear(self) -> str:
        assert self._process.stdout is not None
        ready, _, _ = select.select([self._process.stdout], [], [], ANSWER_WITHIN_S)
        line = self._process.stdout.readline() if ready else ""
        if not line:
            raise self._died()
        return line.strip()

    def _died(self) -> LabError:
        self._process.kill()
        self._process.wait()
        assert self._process.stderr is not None
        said = self._process.stderr.read().strip()
        return LabError(f"the delay line ended: {said or 'it gave no reason'}")
