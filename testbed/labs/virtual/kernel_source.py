"""Which kernel source the virtual lab builds, and how it comes from the distribution's archive.

The archive's address is taken from the machine's own apt configuration; no other host is asked.
"""

from __future__ import annotations

import platform
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from testbed.apt import Apt, Package
from testbed.command import run
from testbed.errors import LabError

_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
_OLDEST = (6, 12)  # time travel of older kernels lacks what the lab relies on; none was tested


@dataclass(frozen=True, kw_only=True)
class Source:
    """A package with a kernel's source; `suite` is None where the machine's own suites have it."""

    package: str
    suite: str | None
    why: str


PREFERRED = (
    Source(
        package="linux-source-7.3",
        suite="trixie-backports",
        why="it knows seccomp=on, with which guests run about twice as fast",
    ),
    Source(
        package="linux-source-6.12",
        suite=None,
        why="it gives the same emulated times as 7.3, but guests take about twice as long",
    ),
)


def download(folder: Path, say: Callable[[str], None]) -> Package:
    """The first source that can be had: the preferred ones in order, then the newest; say which, and why."""
    refused: list[str] = []
    for package, why, fetch in _candidates(folder):
        say(f"kernel: fetching {package}: {why}")
        try:
            return fetch()
        except LabError as error:
            refused.append(f"{package}: {error}")
            say(f"kernel: {package} cannot be had here ({error})")
    raise LabError(
        "kernel source cannot be fetched: " + " | ".join(refused)
        or "apt knows no package linux-source-*: check the machine's apt sources"
    )


def _candidates(folder: Path) -> Iterator[tuple[str, str, Callable[[], Package]]]:
    """(package, why, how to fetch it), in the order in which they are tried."""
    for number, source in enumerate(PREFERRED):
        yield source.package, source.why, lambda: _fetch(source, folder / str(number))  # noqa: B023 (called at once)
    newest = _newest(folder / "any")
    if newest is not None:
        why = "the newest that this machine's suites have; it was not tested"
        yield newest, why, lambda: Apt(folder / "any").download(newest)


def _fetch(source: Source, folder: Path) -> Package:
    """Fetch a preferred source from its suite."""
    if source.suite is None:
        own = Apt(folder)
        own.update()
        return own.download(source.package)
    if not _KEYRING.is_file():
        raise LabError(f"suite {source.suite} needs the keyring {_KEYRING}: install debian-archive-keyring")
    refused = []
    for number, site in enumerate(archive_sites()):
        apt = Apt(folder / str(number), f"deb [signed-by={_KEYRING}] {site} {source.suite} main")
        try:
            apt.update()
            return apt.download(source.package)
        except LabError as error:
            refused.append(str(error))
    raise LabError("; ".join(refused) or "the machine's apt configuration names no archive of its distribution")


def archive_sites() -> list[str]:
    """The addresses from which this machine takes its distribution's own release, in apt's order."""
    release = platform.freedesktop_os_release().get("VERSION_CODENAME", "")
    return sites_of(run(["apt-get", "indextargets", "--format", "$(SITE) $(RELEASE)"]), release)


def sites_of(index_targets: str, release: str) -> list[str]:
    """The distinct sites of lines `SITE RELEASE` whose release is the wanted one."""
    pairs = [line.split() for line in index_targets.splitlines()]
    return list(dict.fromkeys(pair[0] for pair in pairs if len(pair) == 2 and pair[1] == release))


def _newest(folder: Path) -> str | None:
    """The newest linux-source package of the machine's suites that is new enough, if any."""
    apt = Apt(folder)
    try:
        apt.update()
        return newest_of(apt.names("linux-source-"))
    except LabError:
        return None


def newest_of(names: list[str]) -> str | None:
    """The name with the highest kernel version, at least the oldest admitted one."""
    found = [
        (tuple(int(part) for part in match[1].split(".")), name)
        for name in names
        if (match := re.fullmatch(r"linux-source-(\d+\.\d+)", name))
    ]
    return max((pair for pair in found if pair[0] >= _OLDEST), default=((), None))[1]
