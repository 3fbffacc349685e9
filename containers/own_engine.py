"""A Docker engine of our own, for as long as it is needed: what tests and CI use where no engine answers.

    python -m containers.own_engine COMMAND [ARGUMENT]...

runs a command with DOCKER_HOST set to an engine: the one that answers, else one that is started for it and stopped
after it. It has its socket and all its files in a folder of its own, and process, mount and network namespaces of its
own: however it ends, the kernel ends its containers with it, and the machine's interfaces, firewall and other engines
never meet it.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

from containers.engine import ADDRESS_VARIABLE, address, connect
from testbed import clean
from testbed.errors import LabError
from testbed.labs.station_process import StationProcess

PROGRAM = "dockerd"
READY_WITHIN_S = 60.0
ENDS_WITHIN_S = 15.0
LOOK_EVERY_S = 0.05
CGROUP_PREFIX = "gradwire-"
CGROUPS = Path("/sys/fs/cgroup")

ISOLATION = ("unshare", "--pid", "--net", "--mount-proc", "--fork", "--kill-child=KILL", "--")
# What an engine keeps in places that no option moves: hidden by empty file systems of its own.
HIDDEN = ("/run/containerd", "/etc/docker")
HIDE = 'for f in {}; do mkdir -p "$f" && mount -t tmpfs tmpfs "$f" || exit 1; done; exec "$@"'.format(" ".join(HIDDEN))


class OwnEngine(StationProcess):
    """A running engine; `address` is what DOCKER_HOST must be."""

    word = "the Docker engine"

    def __init__(self) -> None:
        remove_abandoned_cgroups()
        self._folder = clean.claim()
        self._cgroup = f"{CGROUP_PREFIX}{os.getpid()}-{clean.run_id_of(self._folder)}"
        self.address = f"unix://{self._folder}/docker.sock"
        super().__init__([*ISOLATION, "sh", "-c", HIDE, "sh", *self._command()], self._folder / "engine.log")
        try:
            self._await_answer()
        except BaseException:
            self.close()
            raise

    def _command(self) -> list[str]:
        folder = self._folder
        return [
            PROGRAM,
            f"--host={self.address}",
            f"--data-root={folder}/data",
            "--exec-root=/run/containerd/docker",  # hidden, and short: sockets lie in it
            f"--pidfile={folder}/engine.pid",
            f"--cgroup-parent=/{self._cgroup}",
            "--exec-opt=native.cgroupdriver=cgroupfs",
            "--bridge=none",
            "--iptables=false",
            "--ip6tables=false",
            "--ip-forward=false",
            "--log-level=warn",
        ]

    def _await_answer(self) -> None:
        deadline_s = time.monotonic() + READY_WITHIN_S
        while True:
            try:
                with _address_set(self.address):
                    connect().close()
                return
            except LabError as error:
                if self.ended() or time.monotonic() > deadline_s:
                    raise LabError(
                        f"{self.word} did not start; the end of what it said: {self.last_words()}"
                    ) from error
            time.sleep(LOOK_EVERY_S)

    def close(self) -> None:
        """Stop it; its containers, its folder and its control groups go with it."""
        for process in self._family():
            with contextlib.suppress(psutil.NoSuchProcess):
                if process.name() == PROGRAM:
                    process.terminate()
        self.wait(ENDS_WITHIN_S)
        self.stop()
        _remove_cgroups(self._cgroup)
        clean.remove(self._folder)


def remove_abandoned_cgroups(cgroups: Path = CGROUPS) -> None:
    """Remove what engines left whose process was killed: control groups outlive everything in them."""
    for top in [*cgroups.glob(f"{CGROUP_PREFIX}*-*"), *cgroups.glob(f"*/{CGROUP_PREFIX}*-*")]:
        owner = top.name.split("-")[1]
        if owner.isdecimal() and not psutil.pid_exists(int(owner)):
            _remove_cgroups(top.name, cgroups)


def _remove_cgroups(name: str, cgroups: Path = CGROUPS) -> None:
    """Remove a control group of ours, in each hierarchy, with the empty ones below it."""
    for top in (cgroups / name, *cgroups.glob(f"*/{name}")):
        for folder, _, _ in os.walk(top, topdown=False):
            with contextlib.suppress(OSError):  # gone, or a process in it is still ending: the next start sees to it
                Path(folder).rmdir()


@contextlib.contextmanager
def _address_set(value: str) -> Iterator[None]:
    before = os.environ.get(ADDRESS_VARIABLE)
    os.environ[ADDRESS_VARIABLE] = value
    try:
        yield
    finally:
        if before is None:
            del os.environ[ADDRESS_VARIABLE]
        else:
            os.environ[ADDRESS_VARIABLE] = before


def lack() -> str | None:
    """Why no engine can be started here; None where one can."""
    if os.geteuid() != 0:
        return f"no Docker engine answers at {address()}, and only root can start one"
    if shutil.which(PROGRAM) is None:
        return f"no Docker engine answers at {address()}, and {PROGRAM} is not installed (Debian package docker.io)"
    return None


def answers() -> bool:
    """Whether an engine answers where one is looked for."""
    try:
        connect().close()
    except LabError:
        return False
    return True


@contextlib.contextmanager
def some_engine() -> Iterator[None]:
    """An engine that answers while the block runs: the one that is there, else one of our own.

    Raises:
        LabError: there is none, and none can be started.
    """
    if answers():
        yield
        return
    if (reason := lack()) is not None:
        raise LabError(reason)
    engine = OwnEngine()
    try:
        with _address_set(engine.address):
            yield
    finally:
        engine.close()


def main(command: list[str]) -> int:
    """The command's exit status; 1 where there is no engine for it, 2 where there is no command."""
    if not command:
        print("usage: python -m containers.own_engine COMMAND [ARGUMENT]...", file=sys.stderr)
        return 2
    try:
        with some_engine():
            return subprocess.run(command, check=False).returncode
    except (LabError, OSError) as error:
        print(f"own_engine: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
