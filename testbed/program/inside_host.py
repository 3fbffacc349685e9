"""The first process of a host session that runs a user's program, in namespaces of its own.

Started as `python -m testbed.program.inside_host SPOOL LANE NATIVE BACKEND`; see `testbed.labs.host.process`.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from testbed.labs.host.awake import awake_processors
from testbed.labs.host.emulations import EMULATIONS
from testbed.program.station import work


def main() -> None:
    """Run the program that the spool folder has."""
    spool, native, backend = Path(sys.argv[1]), Path(sys.argv[3]), sys.argv[4]
    os.environ["PATH"] = f"{native}:{Path(sys.executable).parent}:{os.environ['PATH']}"  # Mininet's programs
    with awake_processors(native):
        work(spool, native, EMULATIONS[backend](native))


if __name__ == "__main__":
    main()
