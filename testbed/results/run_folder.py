"""The folder that a sweep leaves: resumable, and enough to make every table and figure again.

specification.yaml   the sweep file as it was given
resolved.json        its cells in SI units, in the order of declaration, with the delay of each link
provenance.json      what a reader needs to trust a number; one session for each time the sweep was run
cells/ID.json        one per finished cell
failed/ID.json       one per cell without a result, with the reason
traces/ID.json.gz    one per finished cell: what its workers did in the last steps
captures/ID/         packet captures of a finished cell that asked for them, one a link
table.parquet        one row per declared cell; figures/ and report.html are made from it
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from testbed.cell import Cell
from testbed.errors import LabError, UserError
from testbed.results import atomic, documents, traces
from testbed.results.holding import held, require_free_of
from testbed.results.sessions import Sessions


class CapturesNotKept(LabError):  # noqa: N818 (a cell's fault, not the run's)
    """A cell's packet captures, and so its result, could not be kept; other cells' may."""


class RunFolder:
    """Reads and writes one run's files. Whoever writes holds `locked()`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.table_path = path / "table.parquet"
        self.figures_path = path / "figures"
        self.report_path = path / "report.html"
        self._cells = path / "cells"
        self._failed = path / "failed"
        self._traces = path / "traces"
        self._captures = path / "captures"
        self._sessions = Sessions(path / "provenance.json")

    @classmethod
    def existing(cls, path: Path) -> RunFolder:
        """The run at `path`; UserError where there is none."""
        if not (path / "resolved.json").is_file():
            raise UserError(f"{path} is no run folder (it has no resolved.json): give one that `gradwire sweep` made")
        return cls(path)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder; another sweep gets a UserError. The kernel frees it, also after kill -9."""
        require_free_of(self.path, "trials.json", "a training")
        with held(self.path, (self._cells, self._failed, self._traces), "sweep"):
            atomic.remove_partial(self._captures)
            yield

    def declare(self, name: str, text: str, cells: Sequence[Cell], link_delays_s: Sequence[float]) -> None:
        """Write the sweep file as given, and its cells as resolved with the delay of each of their links."""
        resolved = [
            {"id": cell.id, "link_delay_s": delay_s, **cell.to_json()}
            for cell, delay_s in zip(cells, link_delays_s, strict=True)
        ]
        atomic.write_bytes(self.path / "specification.yaml", text.encode())
        atomic.write_json(self.path / "resolved.json", {"schema": documents.SCHEMA, "name": name, "cells": resolved})

    def declared(self) -> list[Cell]:
        """The cells in the order of declaration."""
        path = self.path / "resolved.json"
        rows = documents.read(path).get("cells")
        try:
            return [Cell.from_json(_without(row, "id", "link_delay_s")) for row in rows or ()]
        except (KeyError, TypeError):
            raise LabError(f"{path} is damaged: run the sweep again, which writes it anew") from None

    def cell_path(self, cell: Cell) -> Path:
        """Where the document of a finished cell is."""
        return self._cells / f"{cell.id}.json"

    def store(
        self,
        cell: Cell,
        measurement: Mapping[str, Any],
        trace: Mapping[str, Any] | None = None,
        captures: Path | None = None,
    ) -> None:
        """Keep a measured cell and forget its earlier failure. ValueError for an unusable measurement.

        Its document comes last: a cell that has one has all the rest. `captures` is a folder of files to move here;
        CapturesNotKept where that fails.
        """
        document = documents.finished(cell, measurement)
        if captures is not None:
            self._keep_captures(captures, self._captures / cell.id)
        if trace:
            traces.write(self._traces / f"{cell.id}.json.gz", cell, trace)
        atomic.write_json(self.cell_path(cell), document)
        (self._failed / f"{cell.id}.json").unlink(missing_ok=True)

    @staticmethod
    def _keep_captures(source: Path, target: Path) -> None:
        try:
            atomic.move_folder(source, target)
        except OSError as error:
            raise CapturesNotKept(
                f"its packet captures could not be kept in {target} ({error.strerror}): "
                "make room, or capture fewer cells"
            ) from error

    def store_failure(self, cell: Cell, reason: str, session: int) -> None:
        """Keep the reason for which a cell has no result, and the session in which that was so."""
        atomic.write_json(self._failed / f"{cell.id}.json", documents.failed(cell, reason, session))

    def document(self, cell: Cell) -> dict[str, Any] | None:
        """The cell's document, finished or failed; None where it was not reached. LabError where damaged."""
        for folder in (self._cells, self._failed):
            path = folder / f"{cell.id}.json"
            if path.is_file():
                return documents.read_cell(path)
        return None

    def trace(self, cell: Cell) -> dict[str, Any] | None:
        """The trace of a finished cell; None where there is none. LabError where it is damaged."""
        path = self._traces / f"{cell.id}.json.gz"
        return traces.read(path) if path.is_file() and self.is_finished(cell) else None

    def is_finished(self, cell: Cell) -> bool:
        """Whether a whole result is kept. LabError where it is damaged."""
        path = self.cell_path(cell)
        return path.is_file() and bool(documents.read_cell(path))

    def add_session(self, session: Mapping[str, Any]) -> None:
        """Add what holds for the cells measured from now on; the newest session's facts are at the top."""
        self._sessions.add(session)

    def replace_session(self, session: Mapping[str, Any]) -> None:
        """Put the newest session's facts in the place of those that it was added with."""
        self._sessions.replace(session)

    def provenance(self) -> dict[str, Any]:
        """The run's provenance; empty before the first session."""
        return self._sessions.read()


def _without(row: Mapping[str, Any], *keys: str) -> dict[str, Any]:
    return {key: value for key, value in row.items() if key not in keys}
