"""A host session's first process: measures what the spool offers, on networks in its own namespaces.

Started as `python -m testbed.labs.host.inside SPOOL LANE NATIVE`; see `testbed.labs.host.process`.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from shaping.bucket_shaper import BucketShaper
from shaping.plan import SUPER_PACKET_IN_REAL_TIME_S
from shaping.probe import HOST_QUEUED
from testbed.errors import LabError
from testbed.labs.spool import Spool
from testbed.labs.station import work
from testbed.session.emulation import Emulation


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
        super_packet_s=SUPER_PACKET_IN_REAL_TIME_S,
    )
    with awake_processors(native) as how:
        work(Spool(spool), lane, native, folder, queued, {"processors": how})


@contextmanager
def awake_processors(native: Path) -> Iterator[str]:
    """Keep processors from sleeping deeply (stay_awake.c); yields how."""
    with subprocess.Popen([native / "stay_awake"], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            how = process.stdout.readline().strip()
            if not how:
                raise LabError("stay_awake ended at once; the end of the log says why")
            yield how
        finally:
            process.kill()


if __name__ == "__main__":
    main()
