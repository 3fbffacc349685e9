from __future__ import annotations

from pathlib import Path

import pytest
from filelock import FileLock

from testbed.errors import UserError
from testbed.results.run_folder import RunFolder
from testbed.watching import watched
from testbed.watching.watched import Watched, progress_text
from tests import made_runs


class Clock:
    """Seconds that pass when the test says so."""

    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return made_runs.make("empty", tmp_path / "run")


def test_cells_that_come_later_are_on_the_page(folder: Path, clock: Clock) -> None:
    run = Watched(folder, clock)
    before, page = run.state(), run.page()
    made_runs.measure(RunFolder(folder), made_runs.cells_of("smoke")[:2])
    after = run.state()
    assert (before["ended"], after["ended"], after["cells"]) == (0, 2, 12)
    assert before["version"] != after["version"]
    assert made_runs.cells_of("smoke")[0].id in run.page() and made_runs.cells_of("smoke")[0].id not in page


def test_an_unchanged_run_is_not_made_anew(folder: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    run = Watched(folder, clock)
    version = run.state()["version"]
    monkeypatch.setattr(Watched, "_make", lambda self: pytest.fail("it was made anew"))
    clock.now_s += 1000
    assert run.state()["version"] == version and run.page()


def test_making_pages_takes_a_tenth_of_the_time_at_most(
    folder: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    from testbed import sweep

    def slow(*args: object, **more: object) -> str:
        clock.now_s += 2.0
        return f"made at {clock.now_s}"

    monkeypatch.setattr(sweep, "report_text", slow)
    run = Watched(folder, clock)
    cells = iter(made_runs.cells_of("smoke"))
    made_at_s = []
    for second in range(60):
        clock.now_s = max(clock.now_s, second)
        made_runs.measure(RunFolder(folder), [next(cells)] if second % 5 == 0 else [])
        before = clock.now_s
        run.state()
        made_at_s += [before] if clock.now_s > before else []
    assert made_at_s == [2, 22, 42]
    assert watched.MOST_SHARE == 0.1


def test_what_cannot_be_read_is_said_beside_the_page_that_there_was(folder: Path, clock: Clock) -> None:
    run = Watched(folder, clock)
    page = run.page()
    cell = made_runs.cells_of("smoke")[0]
    made_runs.measure(RunFolder(folder), [cell])
    RunFolder(folder).cell_path(cell).write_text("{")
    assert "is damaged (it is not JSON)" in run.state()["trouble"]
    assert run.page() == page
    RunFolder(folder).cell_path(cell).unlink()
    assert run.state()["trouble"] == ""


@pytest.mark.parametrize(("kind", "sentence"), [("newer", "has schema 2"), ("damaged", "is damaged")])
def test_a_run_that_cannot_be_read_is_refused(tmp_path: Path, kind: str, sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        Watched(made_runs.make(kind, tmp_path / "run"))


def test_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is no run folder"):
        Watched(tmp_path)
    (tmp_path / "trials.json").write_text("{}")
    with pytest.raises(UserError, match="is a training's folder"):
        Watched(tmp_path)


def test_a_sweep_that_runs_is_told_from_one_that_was_stopped(folder: Path) -> None:
    run = Watched(folder)
    assert run.state()["text"].endswith("no sweep is running.")
    with FileLock(folder / ".lock"):
        assert run.state()["text"].endswith("the sweep is running.")


@pytest.mark.parametrize(
    ("counts", "running", "text"),
    [
        ({"missing": 3}, True, "0 of 3 cells have ended; the sweep is running."),
        ({"ok": 2, "missing": 1}, False, "2 of 3 cells have ended: 2 measured; no sweep is running."),
        ({"ok": 2, "failed": 1}, False, "3 of 3 cells have ended: 2 measured, 1 failed; the sweep has ended."),
        ({"ok": 1, "missing": 2}, None, "1 of 3 cells have ended: 1 measured; the others may still come."),
    ],
)  # fmt: skip
def test_progress_is_a_sentence(counts: dict[str, int], running: bool | None, text: str) -> None:
    assert progress_text(3, counts, running) == text
