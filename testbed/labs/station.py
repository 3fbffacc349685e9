"""What a station does, in whatever lab: take batches from the spool, measure them, say what happens."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from testbed.labs.native import blocking_progress
from testbed.labs.spool import EventWriter, Spool
from testbed.session.emulation import Emulation
from testbed.session.session import Session


def work(
    spool: Spool, lane: int, native: Path, folder: Path, emulation: Emulation, facts: Mapping[str, str] | None = None
) -> None:
    """Measure until the spool is empty. `folder` is for sockets and logs of this station's own; `facts`: its own."""
    events = EventWriter(spool.events_path(lane))
    waiting: Mapping[str, str] = blocking_progress(native)
    with Session(
        folder=folder,
        captures=spool.captures_path(lane),
        kept=spool.kept_path(lane),
        native=native,
        environment=waiting,
        emit=events.write,
        emulation=emulation,
    ) as session:
        events.write("ready")
        events.write("facts", **(facts or {}))
        while claimed := spool.claim(lane, session.group):
            name, batch = claimed
            events.write("claimed", name=name)
            session.run(batch.group, batch.network, [(task.cell, task.recording) for task in batch.tasks])
            events.write("batch-done", name=name)
    events.write("end")
    events.close()
