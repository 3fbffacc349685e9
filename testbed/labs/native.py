"""The small C programs that labs run, compiled once and kept in the cache under their content."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from testbed.cache import building, cache_folder, content_key
from testbed.command import run
from testbed.errors import LabError

_CHECKOUT = Path(__file__).parents[2]


@dataclass(frozen=True, kw_only=True)
class Helper:
    """A C source, the name of what is made of it, and what the compiler is told beyond the usual."""

    source: Path
    name: str
    flags: tuple[str, ...] = ()


HELPERS = (
    Helper(
        source=_CHECKOUT / "testbed/session/blocking_progress.c",
        name="blocking_progress.so",
        flags=("-shared", "-fPIC"),
    ),
    Helper(source=_CHECKOUT / "testbed/session/join_rank.c", name="join_rank"),
    Helper(source=_CHECKOUT / "testbed/program/enter_host.c", name="enter_host"),
    # Static: whatever image it is in has what it needs
    Helper(source=_CHECKOUT / "containers/container_init.c", name="container_init", flags=("-static",)),
    Helper(source=_CHECKOUT / "topologies/mnexec.c", name="mnexec"),
    Helper(source=_CHECKOUT / "shaping/delay_line.c", name="delay_line", flags=("-lm",)),
    Helper(source=_CHECKOUT / "testbed/labs/host/stay_awake.c", name="stay_awake", flags=("-pthread",)),
)
_COMPILER = ("gcc", "-O2", "-Wall", "-Wextra")


def ensure(say: Callable[[str], None] = lambda _: None, helpers: tuple[Helper, ...] = HELPERS) -> Path:
    """The folder that holds every helper; compile them first if it is missing (a second)."""
    with building(_entry(helpers)) as folder:
        if folder is not None:
            for helper in helpers:
                say(f"helpers: compiling {helper.source.name}")
                run([*_COMPILER, "-o", folder / helper.name, helper.source, *helper.flags])
    return _entry(helpers)


def find(helpers: tuple[Helper, ...] = HELPERS) -> Path | None:
    """The folder that holds every helper, or None where they have not been compiled."""
    entry = _entry(helpers)
    return entry if entry.is_dir() else None


def blocking_progress(folder: Path) -> dict[str, str]:
    """Environment variables under which MPICH's ranks sleep while they wait; `folder` holds the helpers."""
    return {"LD_PRELOAD": str(folder / "blocking_progress.so"), "GRADWIRE_BLOCKING_PROGRESS": "1"}


def _entry(helpers: tuple[Helper, ...]) -> Path:
    """The cache entry of the helpers' present sources and commands."""
    absent = [str(helper.source) for helper in helpers if not helper.source.is_file()]
    if absent:
        raise LabError(f"source {', '.join(absent)} is missing: the checkout is incomplete")
    commands = " ".join(word for helper in helpers for word in (*_COMPILER, *helper.flags, helper.name))
    return cache_folder() / "native" / content_key(commands, *(helper.source for helper in helpers))
