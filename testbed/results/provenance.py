"""What a reader needs to trust a number, as far as this program and this machine are concerned."""

from __future__ import annotations

import importlib.metadata
import platform
import re
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import psutil

from algorithms import extensions

_DISTRIBUTIONS: Final = ("gradwire", "torch", "numpy", "mpich", "mpi4py", "mininet", "pyroute2")
_GIT_TIMEOUT_S: Final = 10.0


def collect(name: str, labs: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """A session's provenance: program, versions, machine, date, and by name what each lab says of itself."""
    return {
        "name": name,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        **_commit(Path(__file__).parent),
        "versions": _versions(),
        "machine": _machine(),
        "lab": ", ".join(labs),
        "labs": {lab: dict(facts) for lab, facts in labs.items()},
    }


def _versions() -> dict[str, str | None]:
    found: dict[str, str | None] = {"python": platform.python_version()}
    for distribution in _DISTRIBUTIONS:
        try:
            found[distribution] = importlib.metadata.version(distribution)
        except importlib.metadata.PackageNotFoundError:
            found[distribution] = None  # the host lab's containers may lack some
    return found | extensions.packages()


def _machine() -> dict[str, Any]:
    return {
        "kernel": f"{platform.system()} {platform.release()} {platform.version()}",
        "cpu": _cpu_model(Path("/proc/cpuinfo")),
        "cores": psutil.cpu_count(),
        "memory_bytes": psutil.virtual_memory().total,
    }


def _cpu_model(cpuinfo: Path) -> str:
    """The processor's name; the architecture where the kernel gives none."""
    text = cpuinfo.read_text() if cpuinfo.is_file() else ""
    found = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    return found.group(1).strip() if found else platform.machine()


def _commit(source: Path) -> dict[str, Any]:
    """The commit that this program runs from, and whether its files were changed; None without git."""
    commit, status = _git(source, "rev-parse", "HEAD"), _git(source, "status", "--porcelain")
    return {"git_commit": commit, "git_dirty": None if status is None else bool(status)}


def _git(source: Path, *arguments: str) -> str | None:
    command = ["git", "-C", str(source), *arguments]
    try:
        return subprocess.run(
            command, capture_output=True, check=True, text=True, timeout=_GIT_TIMEOUT_S
        ).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None
