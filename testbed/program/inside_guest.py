"""The first process of a guest that runs a user's program, as testbed.labs.virtual.inside is of one that measures.

Started by the guest's kernel as `python -m testbed.program.inside_guest SPOOL LANE NATIVE CACHE`.
"""

from __future__ import annotations

from pathlib import Path

from testbed.labs.virtual.inside import emulation, main


def _work(spool: Path, lane: int, native: Path) -> None:
    from testbed.program.station import work  # imports what reads /proc

    del lane  # there is one
    work(spool, native, emulation())


if __name__ == "__main__":
    main(_work)
