"""Keeping processors awake while a network is emulated in real time (stay_awake.c says why)."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from testbed.errors import LabError


@contextmanager
def awake_processors(native: Path) -> Iterator[str]:
    """Keep processors from sleeping deeply; yields how. `native` is the folder of the compiled helpers."""
    program = native / "stay_awake"
    try:
        started = subprocess.Popen([program], stdout=subprocess.PIPE, text=True)
    except OSError as error:
        raise LabError(f"{program} cannot be started: {error.strerror}; run make setup") from error
    with started as process:
        assert process.stdout is not None
        try:
            how = process.stdout.readline().strip()
            if not how:
                raise LabError("stay_awake ended at once; the end of the log says why")
            yield how
        finally:
            process.kill()
