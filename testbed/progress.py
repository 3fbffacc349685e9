"""How far a sweep is: a live display on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as Bar
from rich.table import Table
from rich.text import Text

from testbed.labs.lab import CellEpoch, CellFailed, CellFinished, CellProgress, CellStarted, Event, Note


@dataclass
class Tally:
    """What became of a sweep's cells so far."""

    to_do: int
    skipped: int  # finished by an earlier run of the sweep
    finished: int = 0
    failed: int = 0

    @property
    def ended(self) -> int:
        """Cells of this run that have a result or a reason for having none."""
        return self.finished + self.failed

    def __str__(self) -> str:
        skipped = f", {self.skipped} skipped (finished before)" if self.skipped else ""
        return f"{self.finished} of {self.to_do} cells done, {self.failed} failed{skipped}"


class Progress(AbstractContextManager["Progress"], ABC):
    """Shows events. `words` has each cell's description by its id."""

    def __init__(self, console: Console, words: Mapping[str, str], tally: Tally) -> None:
        self.console = console
        self.words = words
        self.tally = tally

    def show(self, event: Event) -> None:
        """Count and show what happened."""
        self.tally.finished += isinstance(event, CellFinished)
        self.tally.failed += isinstance(event, CellFailed)
        if isinstance(event, CellFailed):
            self.say(f"failed: {self.words[event.cell_id]}: {event.reason}")
        self._display(event)

    def say(self, text: str) -> None:
        """A line that stays."""
        self.console.print(Text(text), soft_wrap=True)

    @abstractmethod
    def _display(self, event: Event) -> None: ...


class PlainProgress(Progress):
    """A line for each cell that ends, with the time left."""

    def __enter__(self) -> Self:
        self._start_s = time.monotonic()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing to put back."""

    def _display(self, event: Event) -> None:
        if isinstance(event, Note):
            self.say(f"lane {event.lane}: {event.text}")
        elif isinstance(event, CellFinished):
            self.say(f"{self.words[event.cell_id]}: done; {self.tally}, {self._left()} left")

    def _left(self) -> str:
        each_s = (time.monotonic() - self._start_s) / self.tally.ended
        minutes, seconds = divmod(round(each_s * (self.tally.to_do - self.tally.ended)), 60)
        return f"{minutes} min {seconds} s" if minutes else f"{seconds} s"


class LiveProgress(Progress):
    """A bar with counts and the time left, and below it what each lane does."""

    def __init__(self, console: Console, words: Mapping[str, str], tally: Tally) -> None:
        super().__init__(console, words, tally)
        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
        )
        self._bar = Bar(*columns, console=console)
        self._task = self._bar.add_task(str(tally), total=tally.to_do)
        self._lanes: dict[int, str] = {}
        self._live = Live(self._bar, console=console, refresh_per_second=4)

    def __enter__(self) -> Self:
        self._live.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the last state on the terminal."""
        self._live.__exit__(kind, error, trace)

    def _display(self, event: Event) -> None:
        self._lanes[event.lane] = self._activity(event)
        self._bar.update(self._task, completed=self.tally.ended, description=str(self.tally))
        lanes = Table.grid(padding=(0, 2))
        for lane, activity in sorted(self._lanes.items()):
            lanes.add_row(f"lane {lane}", Text(activity, overflow="ellipsis", no_wrap=True))
        self._live.update(Group(self._bar, lanes))

    def _activity(self, event: Event) -> str:
        match event:
            case CellStarted():
                return self.words[event.cell_id]
            case CellProgress():
                return f"{self.words[event.cell_id]}: {event.phase}, step {event.step}"
            case CellEpoch():
                return f"{self.words[event.cell_id]}: epoch {event.epoch} is over"
            case CellFinished():
                return f"{self.words[event.cell_id]}: done"
            case CellFailed():
                return f"{self.words[event.cell_id]}: failed"
            case Note():
                return event.text


def progress(console: Console, words: Mapping[str, str], tally: Tally) -> Progress:
    """The display that suits the console."""
    return (LiveProgress if console.is_terminal else PlainProgress)(console, words, tally)
