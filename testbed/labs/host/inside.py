"""A host session's first process: measures what the spool offers, on networks in its own namespaces.

Started as `python -m testbed.labs.host.inside SPOOL LANE NATIVE`; see `testbed.labs.host.process`.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import containers
from shaping.bucket_shaper import BucketShaper
from shaping.probe import HOST_QUEUED
from testbed.labs.native import blocking_progress
from testbed.labs.spool import Spool
from testbed.labs.station import work
from testbed.session.emulation import Emulation

SUPER_PACKET_S = 1e-3  # timers end tens of microseconds late: shorter ones would cost rate


def main() -> None:
    """Work until the spool is empty."""
    spool, lane, native = Path(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
    os.environ["PATH"] = f"{native}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    os.environ["OMP_NUM_THREADS"] = "1"
    folder = spool / f"lane-{lane}"
    folder.mkdir(exist_ok=True)
    queued = Emulation(
        shaper=lambda wiring, pids: BucketShaper(wiring, pids, native / "delay_line"),
        tolerance=HOST_QUEUED,
        real_time=True,
        super_packet_s=SUPER_PACKET_S,
        containers=lambda hosting: containers.hosts(
            hosting, spool=spool, folder=folder, native=native, environment=blocking_progress(native)
        ),
    )
    work(Spool(spool), lane, native, folder, queued)


if __name__ == "__main__":
    main()
