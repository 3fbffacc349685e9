"""Checks that need a kernel with every kind of shaping: run inside a guest, which has it."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from testbed.cache import cache_folder
from testbed.labs import native
from testbed.labs.virtual.guest import GuestFiles, command_line, memory_bytes, memory_folder

pytestmark = [pytest.mark.virtual, pytest.mark.timeout(300)]

PROGRAM = Path(__file__).with_name("guest_program.py")
CHECKOUT = Path(__file__).parents[4]
WORKERS = 8


def run_in_guest(kernel: Path, folder: Path, *module: str) -> tuple[int, str]:
    """Run `python -m module` as the guest's root; exit status and output."""
    files = GuestFiles(kernel=kernel, native=native.ensure(), spool=folder)
    memory = memory_bytes(WORKERS)
    words = command_line(files, lane=0, run_id="checks", memory=memory)
    of_kernel = words[: words.index("--") + 1]
    arguments = (PROGRAM, folder, files.native, cache_folder(), CHECKOUT, *module)
    console = subprocess.run(
        ["setpriv", "--pdeathsig", "KILL", "--", *of_kernel, *map(str, arguments)],
        env={"PATH": os.environ["PATH"], "HOME": str(folder), "TMPDIR": str(memory_folder(memory))},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=280,
    ).stdout
    status = folder / "status"
    return int(status.read_text()) if status.exists() else -1, console + (folder / "output").read_text()


def test_shaping_does_what_it_says(built_kernel: Path, runtime: Path) -> None:
    status, output = run_in_guest(built_kernel, runtime, "tests.shaping.in_guest")
    print(output)
    assert status == 0, output
    assert output.count("ok     check_") >= 10


def test_reading_the_still_clock_takes_no_virtual_time(built_kernel: Path, runtime: Path) -> None:
    status, output = run_in_guest(built_kernel, runtime, "tests.testbed.workers.still_clock_in_guest")
    assert status == 0, output
    took_ns = json.loads(output.splitlines()[-1])
    assert took_ns["still"] == 0
    assert took_ns["monotonic"] > 0  # else this test could not fail
