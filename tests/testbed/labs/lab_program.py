"""A process that runs cells in their lab, to be killed, or started as another user.

python lab_program.py FILE    where FILE holds a list of cells as JSON; every event becomes a line.
"""

from __future__ import annotations

import json
import sys
import threading
from pathlib import Path

from testbed.cell import Cell
from testbed.labs import registry
from testbed.labs.lab import Event


def say(event: Event) -> None:
    """The event's kind, and why a cell failed."""
    print(type(event).__name__, getattr(event, "reason", ""), flush=True)


def main() -> None:
    """Run the cells in one lane."""
    cells = [Cell.from_json(values) for values in json.loads(Path(sys.argv[1]).read_text())]
    lab = registry.create(cells[0].lab)
    lab.prepare(cells, lambda text: print("prepare", text, flush=True))
    lab.run(cells, say, threading.Event(), jobs=1)


if __name__ == "__main__":
    main()
