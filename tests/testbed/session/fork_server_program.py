"""A fork server whose worker does what its environment says. Started by test_fork_server.py with a socket's path."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from testbed.session.fork_server import ForkServer


def work() -> int:
    """Print the environment's word, then raise, sleep or end with a status."""
    print(os.getpid(), os.environ["WORD"], flush=True)
    match os.environ["DO"]:
        case "raise":
            raise ValueError("worker says no")
        case "sleep":
            time.sleep(60)
        case "kill":
            os.kill(os.getpid(), 9)
        case status:
            return int(status)
    return 0


if __name__ == "__main__":
    server = ForkServer(Path(sys.argv[1]), work)
    print("ready", flush=True)
    server.serve()
