from __future__ import annotations

import io
from pathlib import Path

from rich.console import Console

from testbed.labs.lab import CellEpoch, CellFailed, CellFinished, CellProgress, CellStarted, Note
from testbed.progress import LiveProgress, PlainProgress, Tally, progress

WORDS = {"a": "star, [8] workers", "b": "ring"}


def shown(*, terminal: bool) -> tuple[str, Tally, type]:
    output = io.StringIO()
    console = Console(file=output, force_terminal=terminal, width=120)
    tally = Tally(to_do=2, skipped=5)
    with progress(console, WORDS, tally) as display:
        display.show(Note(0, "starting a guest"))
        display.show(CellStarted(0, "a"))
        display.show(CellProgress(0, "a", 7, "measuring"))
        display.show(CellStarted(1, "b"))
        if terminal:
            display.show(CellEpoch(1, "b", 2, {}, Path()))
            display._live.refresh()  # type: ignore[attr-defined]
        display.show(CellFailed(1, "b", "the guest died"))
        if terminal:
            display._live.refresh()  # type: ignore[attr-defined]
        display.show(CellFinished(0, "a", {}))
    return output.getvalue(), tally, type(display)


def test_plain_lines_where_output_is_no_terminal() -> None:
    text, tally, kind = shown(terminal=False)
    assert kind is PlainProgress and "\x1b" not in text
    assert text.splitlines() == [
        "lane 0: starting a guest",
        "failed: ring: the guest died",
        "star, [8] workers: done; 1 of 2 cells done, 1 failed, 5 skipped (finished before), 0 s left",
    ]
    assert (tally.finished, tally.failed) == (1, 1)


def test_a_terminal_shows_each_lane_with_its_step() -> None:
    text, _, kind = shown(terminal=True)
    assert kind is LiveProgress
    assert "star, [8] workers: measuring, step 7" in text
    assert "ring: epoch 2 is over" in text
    assert "1 of 2 cells done, 1 failed, 5 skipped" in text
