"""A process that runs cells in the virtual lab, to be killed, or started as another user.

python lab_program.py FILE    where FILE holds a list of cells as JSON; every event becomes a line.
"""

from __future__ import annotations

import json
import sys
import threading
from pathlib import Path

from testbed.cell import Cell
from testbed.labs.lab import Event
from testbed.labs.virtual.lab import VirtualLab


def say(event: Event) -> None:
    """The event's kind, and why a cell failed."""
    print(type(event).__name__, getattr(event, "reason", ""), flush=True)


def main() -> None:
    """Run the cells in one lane."""
    cells = [Cell.from_json(values) for values in json.loads(Path(sys.argv[1]).read_text())]
    lab = VirtualLab()
    lab.prepare(cells, lambda text: print("prepare", text, flush=True))
    lab.run(cells, say, threading.Event(), jobs=1)


if __name__ == "__main__":
    main()
