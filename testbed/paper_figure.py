"""`gradwire figure`: one figure of a run for a paper, and its numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from testbed.errors import UserError
from testbed.results import atomic
from testbed.results.run_folder import RunFolder

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from reports.view import View

DEFAULT_FORMAT: Final = "pdf"
_SHOWN: Final = 6  # settings that an error names


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """A figure, what to write below it, where its numbers come from, and these."""

    figure: Figure
    caption: str
    origin: str
    numbers: pd.DataFrame


def draw(folder: Path, name: str, width: str = "column", only: Sequence[str] = ()) -> Drawn:
    """Draw a figure of the run in a folder: of the one setting that `only`, each KEY=VALUE, leaves.

    UserError for an unknown name or width, for several settings, and where the run has nothing for the figure.
    """
    run = _sweep(folder)
    from reports import paper
    from reports.paper.sheet import sheet, style
    from reports.provenance import line

    kind = paper.find(name)
    on = sheet(width)
    view = _view(run, only)
    with style():
        figure = kind.draw(view, on)
    if figure is None:
        raise UserError(f"run {folder} has nothing for figure {name}, which needs {kind.needs}: {_others(view, on)}")
    provenance = run.provenance() or {"name": run.path.name}
    return Drawn(figure=figure, caption=kind.caption(view), origin=line(view, provenance), numbers=kind.numbers(view))


def write(drawn: Drawn, name: str, kind: str | None, output: Path | None, csv: Path | None) -> list[Path]:
    """Write the figure, by default NAME.pdf here, and its numbers where asked for; the files' paths.

    UserError for a format that is none or is not that of the file's name, and a folder that does not exist.
    """
    from reports.paper import saving

    kind = _format(kind, output)
    path = output or Path(f"{name}.{kind}")
    for option, file in (("--output", path), ("--csv", csv)):
        if file is not None and not file.parent.is_dir():
            raise UserError(f"{option} {file}: the folder {file.parent} does not exist: make it, or give another")
    files = {path: saving.content(drawn.figure, kind, drawn.origin)}
    if csv is not None:
        files[csv] = saving.csv(drawn.numbers)
    for file, content in files.items():
        atomic.write_bytes(file, content)
    return list(files)


def _format(kind: str | None, output: Path | None) -> str:
    from reports.paper.saving import FORMATS

    ending = output.suffix.removeprefix(".").lower() if output else ""
    kind = kind or ending or DEFAULT_FORMAT
    if kind not in FORMATS:
        raise UserError(f"format {kind!r} is none of a figure's: choose one of {', '.join(FORMATS)}")
    if ending in FORMATS and ending != kind:
        raise UserError(f"--output {output} ends in .{ending}, and --format is {kind}: give one of them")
    return kind


def _view(run: RunFolder, only: Sequence[str]) -> View:
    """The cells of one setting."""
    from reports.view import views
    from testbed.results.table import table

    frame = table(run)
    if only:
        from testbed.specification import select

        ids = {cell.id for cell in select(run.declared(), only)}
        frame = frame[frame["cell"].isin(ids)]
    found = [view for view in views(frame) if view.measured]
    if not found:
        raise UserError(f"run {run.path} has no measured cell to draw: measure its sweep first")
    if len(found) > 1:
        more = f"; and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
        raise UserError(
            f"run {run.path} has {len(found)} settings, and a figure shows one: choose it with --only, say "
            f"--only topology={found[0].setting['topology']} --only workers={found[0].setting['workers']}; "
            f"there are: {'; '.join(view.name for view in found[:_SHOWN])}{more}"
        )
    return found[0]


def _others(view: View, on: object) -> str:
    """What can be drawn of it."""
    from reports import paper
    from reports.paper.sheet import Sheet, style

    assert isinstance(on, Sheet)
    with style():
        names = [name for name, kind in paper.figures().items() if kind.draw(view, on) is not None]
    return f"it has what {', '.join(names)} need" if names else "it has what no figure needs"


def _sweep(folder: Path) -> RunFolder:
    if (folder / "trials.json").is_file():
        raise UserError(
            f"{folder} holds a training: figures for papers are of sweeps; `gradwire report {folder}` draws its own"
        )
    return RunFolder.existing(folder)
