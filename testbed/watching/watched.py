"""The page of a run folder, made anew when the folder has changed and somebody asks for it."""

from __future__ import annotations

import hashlib
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from testbed.errors import LabError, UserError
from testbed.results.run_folder import RunFolder
from testbed.watching.holders import is_locked

# Of the time, that making pages may take: the sweep that is watched needs the processors more.
MOST_SHARE: Final = 0.1
_WATCHED: Final = (
    "resolved.json",
    "provenance.json",
    "cells",
    "failed",
)  # a new or replaced file changes its folder's time


@dataclass(frozen=True, kw_only=True)
class Shown:
    """What a page that is open can ask for."""

    version: str = ""  # of the page: equal pages have equal versions, also of two servers
    page: str = ""
    cells: int = 0  # declared
    counts: Mapping[str, int]  # of cells, by status


class Watched:
    """A run folder and the page of its newest state. Threads may share it."""

    def __init__(self, folder: Path, clock: Callable[[], float] = time.monotonic) -> None:
        """UserError where there is no run of a sweep, or one that this version cannot read."""
        self._folder, self._clock = folder, clock
        self._making = threading.Lock()
        self._seen: tuple[int, ...] = ()
        self._not_before_s = 0.0
        self._shown = Shown(counts={})
        self._trouble = ""
        if (folder / "trials.json").is_file():
            raise UserError(
                f"{folder} is a training's folder, and only sweeps can be watched: `gradwire report` shows it"
            )
        self._run = RunFolder.existing(folder)
        try:
            self._make()
        except LabError as error:
            raise UserError(str(error)) from error
        self._not_before_s = 0.0  # it took so long for what had to be imported

    def page(self) -> str:
        """The page of the run as it is now, or was a moment ago where pages take long to make."""
        self._renew()
        return self._shown.page

    def state(self) -> dict[str, Any]:
        """What a page asks for again and again: the newest page's version, and how far the sweep is."""
        self._renew()
        shown, running = self._shown, is_locked(self._folder / ".lock")
        missing = shown.counts.get("missing", 0)
        return {
            "version": shown.version,
            "cells": shown.cells,
            "ended": shown.cells - missing,
            "text": progress_text(shown.cells, shown.counts, running),
            "trouble": self._trouble,
        }

    def _renew(self) -> None:
        """Make the page anew if the folder changed. What cannot be read is said beside the page that there was."""
        with self._making:
            if self._clock() < self._not_before_s or self._signature() == self._seen:
                return
            try:
                self._make()
            except (LabError, UserError) as error:
                self._trouble = str(error)

    def _make(self) -> None:
        from testbed.results.table import table  # with pandas, which a mistake need not wait for
        from testbed.sweep import report_text

        seen, began_s = self._signature(), self._clock()
        try:
            frame = table(self._run)
            page = report_text(self._run, frame, live=True)
        finally:
            self._seen = seen  # what came meanwhile is seen the next time; what cannot be read, when it changes
            self._not_before_s = self._clock() + (self._clock() - began_s) * (1 / MOST_SHARE - 1)
        counts = Counter(frame["status"]) if len(frame) else Counter[str]()
        version = hashlib.sha256(page.encode()).hexdigest()[:16]
        self._shown = Shown(version=version, page=page, cells=len(frame), counts=counts)
        self._trouble = ""

    def _signature(self) -> tuple[int, ...]:
        return tuple(_changed_ns(self._folder / name) for name in _WATCHED)


def progress_text(cells: int, counts: Mapping[str, int], running: bool | None) -> str:
    """How far a sweep is, in a sentence: `7 of 12 cells have ended: 6 measured, 1 failed; the sweep is running.`"""
    missing = counts.get("missing", 0)
    words = [
        f"{count} {'measured' if status == 'ok' else status}" for status, count in counts.items() if status != "missing"
    ]
    ended = f"{cells - missing} of {cells} cells have ended" + (f": {', '.join(words)}" if words else "")
    if running:
        return f"{ended}; the sweep is running."
    if not missing:
        return f"{ended}; the sweep has ended."
    return f"{ended}; {'no sweep is running' if running is False else 'the others may still come'}."


def _changed_ns(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0
