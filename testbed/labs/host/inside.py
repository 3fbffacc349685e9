"""A host session's first process: measures what the spool offers, on networks in its own namespaces.

Started as `python -m testbed.labs.host.inside SPOOL LANE NATIVE BACKEND`; see `testbed.labs.host.process`.
"""

from __future__ import annotations

import dataclasses
import os
import sys
from pathlib import Path

import containers
from testbed.labs.host.awake import awake_processors
from testbed.labs.host.emulations import EMULATIONS
from testbed.labs.native import blocking_progress
from testbed.labs.spool import Spool
from testbed.labs.station import work


def main() -> None:
    """Work until the spool is empty."""
    spool, lane, native, backend = Path(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]), sys.argv[4]
    os.environ["PATH"] = f"{native}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    os.environ["OMP_NUM_THREADS"] = "1"
    folder = spool / f"lane-{lane}"
    folder.mkdir(exist_ok=True)
    emulation = dataclasses.replace(
        EMULATIONS[backend](native),
        containers=lambda hosting: containers.hosts(
            hosting, spool=spool, folder=folder, native=native, environment=blocking_progress(native)
        ),
    )
    with awake_processors(native) as how:
        work(Spool(spool), lane, native, folder, emulation, {"processors": how})


if __name__ == "__main__":
    main()
