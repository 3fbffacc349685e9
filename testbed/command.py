"""The one place that runs external commands: a failure says the command, its status and its own words."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from testbed.errors import LabError

_LAST_LINES = 5  # of a failed command's own words: enough to see why, short enough for one message


def run(
    argv: Sequence[str | Path],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    timeout_s: float | None = None,
) -> str:
    """Run a command without standard input and return what it printed; raise LabError if it fails."""
    words = [str(word) for word in argv]
    try:
        done = subprocess.run(
            words,
            cwd=cwd,
            env=env,
            timeout=timeout_s,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
    except OSError as error:
        raise LabError(f"command {shlex.join(words)} cannot start: {error.strerror}") from error
    except subprocess.TimeoutExpired as error:
        raise LabError(f"command {shlex.join(words)} did not end within {timeout_s:g} s") from error
    if done.returncode != 0:
        raise LabError(failure(words, done.returncode, done.stderr or done.stdout))
    return done.stdout


def failure(argv: Sequence[str], status: int, output: str) -> str:
    """One sentence about a command that failed, with the last lines it printed."""
    last = "; ".join(line.strip() for line in output.strip().splitlines()[-_LAST_LINES:])
    return f"command {shlex.join(argv)} failed with status {status}: {last or 'it printed nothing'}"
