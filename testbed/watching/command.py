"""`gradwire watch`: serve a run's page until Ctrl-C."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from testbed.watching.server import Server
from testbed.watching.watched import Watched


def serve(folder: Path, port: int, say: Callable[[str], None]) -> None:
    """Serve the report of the run in `folder`, until the user interrupts. UserError where it cannot be."""
    os.nice(19)  # a sweep that runs beside it needs the processors more
    with Server(Watched(folder), port) as server:
        say(f"watching {folder} on {server.url} (Ctrl-C ends it; the sweep goes on)")
        try:
            server.serve_forever()
        except KeyboardInterrupt:  # how a watch ends, and no failure
            say("ended")
