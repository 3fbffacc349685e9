"""The folder that a training leaves: resumable, and enough to make every table again.

specification.yaml   the training file as it was given
trials.json          its trials, complete with all defaults, in the order of declaration
provenance.json      what a reader needs to trust a number; one session for each time the training was run
records/ID.json      one per trial that has begun: its epochs, written anew at the end of each
failed/ID.json       one per trial that could not go on, with the reason
checkpoints/ID.pt    one per trial under way: where it goes on
times.json           epoch times of a sweep's cells with the same algorithms, where some were asked for
table.parquet        one row per epoch (and network), made of all that
figures/             figures and pages, made of the table
"""

from __future__ import annotations

import io
import pickle
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import torch

from testbed.errors import LabError
from testbed.results import atomic, documents
from testbed.results.holding import held, require_free_of
from testbed.results.sessions import Sessions
from testbed.training.trial import Trial

DECLARED: Final = "trials.json"
RUNNING, OK, DIVERGED, FAILED = "running", "ok", "diverged", "failed"
ENDED: Final = (OK, DIVERGED)
_AGAIN: Final = "remove that file and run the training again, which makes it anew"


class TrainingFolder:
    """Reads and writes one training's files. Whoever writes holds `locked()`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.table_path = path / "table.parquet"
        self.figures_path = path / "figures"
        self.report_path = path / "report.html"
        self.sessions = Sessions(path / "provenance.json")
        self._records = path / "records"
        self._failed = path / "failed"
        self._checkpoints = path / "checkpoints"
        self._waiting = path / "waiting"

    @staticmethod
    def is_at(path: Path) -> bool:
        """Whether a training made the folder."""
        return (path / DECLARED).is_file()

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder; UserError if another training does, or if it is a sweep's."""
        require_free_of(self.path, "resolved.json", "the run of a sweep")
        with held(self.path, (self._records, self._failed, self._checkpoints), "training"):
            shutil.rmtree(self._waiting, ignore_errors=True)  # of a process that was killed
            yield

    @contextmanager
    def waiting(self) -> Iterator[Path]:
        """An empty folder for what is evaluated later, which goes with its use, or at the next start."""
        self._waiting.mkdir()
        try:
            yield self._waiting
        finally:
            shutil.rmtree(self._waiting, ignore_errors=True)

    def declare(self, name: str, text: str, trials: Sequence[Trial]) -> None:
        """Write the training file as given, and its trials."""
        declared = [{"id": trial.id, **trial.to_json()} for trial in trials]
        atomic.write_bytes(self.path / "specification.yaml", text.encode())
        atomic.write_json(self.path / DECLARED, {"schema": documents.SCHEMA, "name": name, "trials": declared})

    def declared(self) -> list[Trial]:
        """The trials in the order of declaration."""
        path = self.path / DECLARED
        rows = documents.read(path, _AGAIN).get("trials")
        try:
            return [Trial.from_json({key: row[key] for key in row if key != "id"}) for row in rows or ()]
        except (KeyError, TypeError):
            raise LabError(f"{path} is damaged: run the training again, which writes it anew") from None

    def store(self, trial: Trial, record: Mapping[str, Any]) -> None:
        """Keep the record of a trial, begun or ended, and forget an earlier failure."""
        document = {"schema": documents.SCHEMA, "trial": trial.to_json(), "reason": "", **record}
        atomic.write_json(self._records / f"{trial.id}.json", document)
        self._failed_path(trial).unlink(missing_ok=True)

    def store_failure(self, trial: Trial, reason: str, session: int) -> None:
        """Keep the reason for which a trial did not go on, and the session in which that was so."""
        document = {"schema": documents.SCHEMA, "trial": trial.to_json(), "status": FAILED, "reason": reason}
        atomic.write_json(self._failed_path(trial), {**document, "session": session})

    def record(self, trial: Trial) -> dict[str, Any] | None:
        """The trial's record, as far as it went; None where it has not begun. LabError where it is damaged."""
        path = self._records / f"{trial.id}.json"
        return documents.read(path, _AGAIN) if path.is_file() else None

    def failure(self, trial: Trial) -> str | None:
        """Why the trial did not go on, if it did not."""
        path = self._failed_path(trial)
        return str(documents.read(path, _AGAIN)["reason"]) if path.is_file() else None

    def has_ended(self, trial: Trial) -> bool:
        """Whether the trial was trained to its end, or until it diverged."""
        record = self.record(trial)
        return record is not None and record["status"] in ENDED

    def save_checkpoint(self, trial: Trial, state: Mapping[str, Any]) -> None:
        """Keep where a trial is, whole or not at all."""
        content = io.BytesIO()
        torch.save(dict(state), content)
        atomic.write_bytes(self.checkpoint_path(trial), content.getvalue())

    def checkpoint(self, trial: Trial) -> dict[str, Any] | None:
        """Where a trial was, on the processor; None where nothing is kept. LabError where it is damaged."""
        path = self.checkpoint_path(trial)
        if not path.is_file():
            return None
        try:
            state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        except (OSError, RuntimeError, EOFError, pickle.UnpicklingError):
            raise LabError(f"{path} is damaged: remove it, and the trial begins anew") from None
        return state

    def remove_checkpoint(self, trial: Trial) -> None:
        """Forget where an ended trial was."""
        self.checkpoint_path(trial).unlink(missing_ok=True)

    def store_times(self, times: Mapping[str, Any]) -> None:
        """Keep epoch times, by trial."""
        atomic.write_json(self.path / "times.json", {"schema": documents.SCHEMA, **times})

    def times(self) -> dict[str, Any]:
        """Epoch times by trial; empty where none were asked for."""
        path = self.path / "times.json"
        return documents.read(path, _AGAIN) if path.is_file() else {}

    def _failed_path(self, trial: Trial) -> Path:
        return self._failed / f"{trial.id}.json"

    def checkpoint_path(self, trial: Trial) -> Path:
        """Where it is kept how far a trial is."""
        return self._checkpoints / f"{trial.id}.pt"
