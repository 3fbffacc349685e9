"""Building mnexec, the small program through which Mininet starts a node's shell in its own namespace."""

from __future__ import annotations

import subprocess
from pathlib import Path

from testbed.errors import LabError

SOURCE = Path(__file__).with_name("mnexec.c")


def build_mnexec(folder: Path) -> Path:
    """Compile mnexec into `folder`, unless what is there is newer than its source; return the program's path.

    Raises:
        LabError: there is no compiler, or it fails.
    """
    program = folder / "mnexec"
    if program.exists() and program.stat().st_mtime >= SOURCE.stat().st_mtime:
        return program
    folder.mkdir(parents=True, exist_ok=True)
    unfinished = folder / "mnexec.new"
    command = ["gcc", "-O2", "-Wall", "-Wextra", "-Werror", "-o", str(unfinished), str(SOURCE)]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True)
    except FileNotFoundError as error:
        raise LabError("program gcc is not installed, mnexec needs it; install package gcc") from error
    except subprocess.CalledProcessError as error:
        raise LabError(f"`{' '.join(command)}` failed ({error.returncode}): {error.stderr.strip()}") from error
    unfinished.replace(program)
    return program
