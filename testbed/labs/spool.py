"""The folder through which the testbed and its guests speak: batches out, events back.

Both sides see the same files (the guest's root is the machine's file system), so no network and no console protocol
is needed. A batch is claimed by renaming it, which one guest only can do. Events are lines appended to one file per
lane; the testbed follows it.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from testbed.cell import Cell, Hosting, Network

PYTHON_PATH_FILE = "python-path"  # in the folder: the testbed's own PYTHONPATH, which a guest's kernel does not hand on


@dataclass(frozen=True)
class Task:
    """A cell, and the folder of its recorded gradients (None: computed live)."""

    cell: Cell
    recording: str | None


@dataclass(frozen=True)
class Batch:
    """Cells on one network, of one hosting; there is one at least."""

    network: Network
    tasks: Sequence[Task]

    @property
    def group(self) -> str:
        """Batches of one group need the same hosts and links: only the shaping differs."""
        hosting = self.tasks[0].cell.hosting.name
        words = [f"{self.network.topology}{self.network.arity or ''}", str(self.network.workers), hosting]
        return "-".join(word for word in words if word)


class Spool:
    """A folder with `batches/`, `claimed/` and one `events-<lane>.jsonl` per lane."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._batches = folder / "batches"
        self._claimed = folder / "claimed"

    def create(self, batches: Sequence[Batch] = ()) -> None:
        """Make the folders, and offer batches."""
        self._batches.mkdir(parents=True)
        self._claimed.mkdir()
        for number, batch in enumerate(batches):
            self.put(number, batch)

    def put(self, number: int, batch: Batch) -> None:
        """Offer a batch; the file appears whole."""
        tasks = [{"cell": task.cell.to_json(), "recording": task.recording} for task in batch.tasks]
        name = f"{batch.group}.{number:05}.json"
        partial = self.folder / name
        partial.write_text(json.dumps(tasks))
        partial.rename(self._batches / name)

    def left(self) -> int:
        """How many batches nobody has claimed."""
        return sum(1 for _ in self._batches.iterdir())

    def claim(self, lane: int, group: str | None) -> tuple[str, Batch] | None:
        """Take the next batch: of `group` while there is one, else of the group with most left. None: no more."""
        while names := sorted(path.name for path in self._batches.iterdir()):
            name = self._choose(names, lane, group)
            claimed = self._claimed / f"{lane}.{name}"
            try:
                (self._batches / name).rename(claimed)
            except FileNotFoundError:
                continue  # the other lane was faster
            return name, _read(claimed)
        return None

    @staticmethod
    def _choose(names: Sequence[str], lane: int, group: str | None) -> str:
        by_group: dict[str, list[str]] = {}
        for name in names:
            by_group.setdefault(name.split(".")[0], []).append(name)
        if group in by_group:
            return by_group[group][0]
        fullest = sorted(by_group.values(), key=len, reverse=True)
        return fullest[lane % len(fullest)][-1 if group else 0]

    def claimed_by(self, lane: int, name: str) -> Batch:
        """A batch that a lane took."""
        return _read(self._claimed / f"{lane}.{name}")

    def last_claimed(self, lane: int, done: Collection[str]) -> str | None:
        """A batch that a lane took and has not done; None where there is none."""
        names = (path.name.removeprefix(f"{lane}.") for path in self._claimed.glob(f"{lane}.*"))
        return next((name for name in names if name not in done), None)

    def events_path(self, lane: int) -> Path:
        """Where a lane's events go."""
        return self.folder / f"events-{lane}.jsonl"

    def captures_path(self, lane: int) -> Path:
        """Where a lane's packet captures lie until they are fetched: a folder for each cell, by its id."""
        return self.folder / f"captures-{lane}"

    def kept_path(self, lane: int) -> Path:
        """Where what workers had after an epoch lies until it is fetched: by the cell's id, then the epoch."""
        return self.folder / f"kept-{lane}"


def _read(path: Path) -> Batch:
    tasks = [Task(Cell.from_json(task["cell"]), task["recording"]) for task in json.loads(path.read_text())]
    return Batch(tasks[0].cell.network, tasks)


class EventWriter:
    """Appends events; each is on disk, whole, when `write` returns."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("a", buffering=1)

    def write(self, kind: str, **values: Any) -> None:
        """Append one event."""
        self._file.write(json.dumps({"event": kind, **values}) + "\n")

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class EventReader:
    """Follows a file of events that may not be there yet, and whose last line may be under way."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read_bytes = 0

    def new(self) -> Iterator[dict[str, Any]]:
        """Events that have come since the last call."""
        if not self._path.exists():
            return
        with self._path.open("rb") as file:
            file.seek(self._read_bytes)
            data = file.read()
        whole = data[: data.rfind(b"\n") + 1]
        self._read_bytes += len(whole)
        for line in whole.splitlines():
            yield json.loads(line)


def batches_of(tasks: Sequence[Task]) -> list[Batch]:
    """One batch per network and hosting, in the order of first appearance."""
    by_place: dict[tuple[Network, Hosting], list[Task]] = {}
    for task in tasks:
        by_place.setdefault((task.cell.network, task.cell.hosting), []).append(task)
    return [Batch(network, tuple(of_place)) for (network, _), of_place in by_place.items()]
