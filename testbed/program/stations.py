"""Where a user's program runs: for each lab, what it needs of this machine, and how its station is started."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from testbed import clean
from testbed.errors import UserError
from testbed.labs import native
from testbed.labs.station_process import StationProcess

Say = Callable[[str], None]

GUEST_BASE_BYTES: Final = 1 << 30
GUEST_RANK_BYTES: Final = 1 << 30  # Python with torch has a third of it; what is not touched is not taken


@dataclass(frozen=True, kw_only=True)
class Place:
    """A lab, as far as a single program needs it."""

    name: str
    time: str  # what a time that was measured there is called
    note: str  # what is to be known of such times; empty: nothing
    start: Callable[[Path, Path, int], StationProcess]  # of spool, helpers and memory in bytes
    watched: bool  # whether time stands still there while a program spins


class MakePlace(Protocol):
    """Makes a lab ready on this machine."""

    def __call__(self, say: Say) -> Place:
        """The lab; UserError where this machine cannot have it."""


def _virtual(say: Say) -> Place:
    from testbed.labs.virtual import kernel
    from testbed.labs.virtual.guest import Guest, GuestFiles

    linux = kernel.ensure(say)

    def start(spool: Path, helpers: Path, memory: int) -> StationProcess:
        files = GuestFiles(kernel=linux, native=helpers, spool=spool)
        run_id = clean.run_id_of(spool)
        return Guest(files, lane=0, run_id=run_id, memory=memory, module="testbed.program.inside_guest")

    return Place(
        name="virtual",
        time="emulated time",
        note="network time only: compute takes no emulated time",
        start=start,
        watched=True,
    )


def _host(say: Say) -> Place:
    from testbed.labs.host import requirements
    from testbed.labs.host.congestion import allow_cubic
    from testbed.labs.host.process import HostProcess

    found = requirements.lacks()
    if (lack := requirements.missing(found)) is not None:
        raise UserError(lack)
    allow_cubic(say)
    backend = str(requirements.backend(found))

    def start(spool: Path, helpers: Path, memory: int) -> StationProcess:
        del memory  # the machine's own
        return HostProcess(spool=spool, lane=0, native=helpers, backend=backend, module="testbed.program.inside_host")

    return Place(name="host", time="wall time", note="", start=start, watched=False)


PLACES: Final[Mapping[str, MakePlace]] = {"virtual": _virtual, "host": _host}


def place(name: str, say: Say) -> tuple[Place, Path]:
    """The lab of that name, made ready, and the folder of the compiled helpers."""
    return PLACES[name](say), native.ensure(say)


def guest_bytes(ranks: int) -> int:
    """Memory of a guest for so many ranks, where nobody says otherwise."""
    return GUEST_BASE_BYTES + ranks * GUEST_RANK_BYTES
