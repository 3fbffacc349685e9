"""The guest's kernel: built once from the distribution's source and `kernel.config`, kept in the cache.

The result is an ordinary program, `linux`, beside a record of what it was built from.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import subprocess
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from testbed.apt import Package
from testbed.cache import building, cache_folder, content_key
from testbed.command import failure, run
from testbed.errors import LabError, UserError
from testbed.labs.virtual import kernel_source

FRAGMENT = Path(__file__).with_name("kernel.config")
_NEEDS_BYTES = 3 * 2**30  # the unpacked source is 1.8 GiB, the package 0.16, the objects 0.2
_FILES_OF_A_BUILD = 616  # C files compiled for the fragment and linux-source-7.3; only the progress display uses it
_REPORT_EVERY_S = 10.0
# Symbols that only older trees know; in newer ones the symbol beside them in the fragment says the same.
_OLDER_NAMES = frozenset({"CONFIG_PROC_SYSCTL"})

Say = Callable[[str], None]


def ensure(say: Say) -> Path:
    """The kernel's path; build it first if it is missing (minutes; a second process waits for the first)."""
    if platform.machine() != "x86_64":
        raise UserError(f"the virtual lab needs an x86_64 machine, got {platform.machine()}: use the lab host")
    with building(_entry()) as folder:
        if folder is not None:
            _build(folder, say)
    return _entry() / "linux"


def find() -> Path | None:
    """The kernel's path, or None where it has not been built."""
    kernel = _entry() / "linux"
    return kernel if kernel.is_file() else None


def provenance() -> dict[str, Any]:
    """What the kernel was built from: package, version, digests of configuration and binary, compiler."""
    try:
        record: dict[str, Any] = json.loads((_entry() / "provenance.json").read_text())
    except FileNotFoundError:
        raise UserError("the virtual lab's kernel has not been built: run `make setup`") from None
    return record


def digest() -> str:
    """Sixteen hexadecimal digits that stand for the source's version and the configuration."""
    return str(provenance()["digest"])


def _entry() -> Path:
    """The cache entry of the present fragment and list of sources; a security update rebuilds nothing."""
    preferred = ",".join(source.package for source in kernel_source.PREFERRED)
    return cache_folder() / "kernels" / content_key(FRAGMENT, preferred)


def _build(folder: Path, say: Say) -> None:
    """Fetch, unpack, configure and compile; `folder` in the end holds `linux` and its record alone."""
    started = time.monotonic()
    free = shutil.disk_usage(folder).free
    if free < _NEEDS_BYTES:
        raise UserError(
            f"cache folder {cache_folder()} has {free / 2**30:.1f} GiB free, a kernel build needs "
            f"{_NEEDS_BYTES / 2**30:.0f}: make room, or set GRADWIRE_CACHE to a folder elsewhere"
        )
    package = kernel_source.download(folder / "apt", say)
    say(f"kernel: unpacking {package.name} {package.version}")
    tree = _unpack(package.file, folder / "source")
    _configure(tree)
    _compile(tree, _log(), say)
    shutil.move(tree / "linux", folder / "linux")
    record = _record(package, folder / "linux", time.monotonic() - started)
    shutil.rmtree(folder / "source")
    shutil.rmtree(folder / "apt")
    (folder / "provenance.json").write_text(json.dumps(record, indent=2) + "\n")
    say(f"kernel: built from {package.name} {package.version} in {record['build_s']:.0f} s")


def _log() -> Path:
    """Where the compiler's output goes; it outlives a failed build."""
    return _entry().with_suffix(".log")


def _record(package: Package, kernel: Path, build_s: float) -> dict[str, Any]:
    """The content of provenance.json."""
    return {
        "package": package.name,
        "version": package.version,
        "config_sha256": hashlib.sha256(FRAGMENT.read_bytes()).hexdigest(),
        "digest": content_key(package.name, package.version, FRAGMENT),
        "binary_sha256": hashlib.sha256(kernel.read_bytes()).hexdigest(),
        "compiler": run(["gcc", "--version"]).splitlines()[0],
        "build_s": round(build_s, 1),
    }


def _unpack(package: Path, into: Path) -> Path:
    """Unpack the source archive inside a .deb without writing the archive itself; the source tree's path."""
    into.mkdir()
    pipeline = (
        'set -o pipefail; dpkg-deb --fsys-tarfile "$1"'
        " | tar --extract --to-stdout --wildcards './usr/src/linux-source-*.tar.xz'"
        ' | tar --extract --xz --directory "$2"'
    )
    run(["bash", "-c", pipeline, "unpack", package, into])
    (tree,) = into.iterdir()
    return tree


def _configure(tree: Path) -> None:
    """Write the tree's .config from the fragment; raise LabError if a wanted symbol did not come true."""
    environment = _environment() | {"KCONFIG_ALLCONFIG": str(FRAGMENT)}
    run(["make", "ARCH=um", "allnoconfig"], cwd=tree, env=environment)
    absent = missing(FRAGMENT.read_text(), (tree / ".config").read_text())
    if absent:
        raise LabError(
            f"kernel.config asks for {', '.join(absent)}, which {tree.name} does not grant: "
            "the symbol was renamed, or lacks one that it depends on"
        )


def missing(fragment: str, config: str) -> list[str]:
    """The fragment's lines `CONFIG_…=y` that a configuration lacks, less those that only older trees know."""
    granted = set(config.splitlines())
    wanted = (line.strip() for line in fragment.splitlines() if line.startswith("CONFIG_"))
    return [line for line in wanted if line not in granted and line.partition("=")[0] not in _OLDER_NAMES]


def _environment() -> dict[str, str]:
    """Our environment for the kernel's make: set-up runs under make too, whose flags are not meant for it."""
    kept = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")}
    built_by = {f"KBUILD_BUILD_{what}": "gradwire" for what in ("USER", "HOST")}
    return kept | built_by | {"KBUILD_BUILD_TIMESTAMP": "@0", "LC_ALL": "C"}  # equal inputs give an equal kernel


def _compile(tree: Path, log: Path, say: Say) -> None:
    """Run make on all cores, its output going to the log; raise LabError with its last lines if it fails."""
    argv = ["make", "ARCH=um", f"-j{len(os.sched_getaffinity(0))}", "linux"]
    with (
        log.open("w") as kept,
        subprocess.Popen(
            argv,
            cwd=tree,
            env=_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process,
    ):
        assert process.stdout is not None
        try:
            _follow(process.stdout, kept.write, say)
        except BaseException:
            process.terminate()
            raise
    if process.returncode != 0:
        raise LabError(f"{failure(argv, process.returncode, log.read_text())} (all of it: {log})")


def _follow(lines: Iterable[str], keep: Callable[[str], object], say: Say) -> None:
    """Pass make's lines on, and say now and then how far it is: it prints `  CC  FILE` for each C file."""
    started = reported = time.monotonic()
    files = 0
    for line in lines:
        keep(line)
        files += line.startswith("  CC ")
        now = time.monotonic()
        if now - reported >= _REPORT_EVERY_S:
            say(f"kernel: compiled {files} of about {_FILES_OF_A_BUILD} files, {now - started:.0f} s")
            reported = now
