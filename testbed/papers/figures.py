"""Which training and which sweep each figure of a paper is made of. A figure more is a line more, and its page."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from testbed.errors import UserError


@dataclass(frozen=True, kw_only=True)
class PaperFigure:
    """A figure's `name` is that of its page (reports/pages), which is made of its training, or else of its sweep.

    With both, the training's losses are set against the times that the sweep measured. Figures may share either.
    """

    name: str
    training: str = ""  # in trainings/, without the ending
    sweep: str = ""  # in sweeps/, likewise
    only: Sequence[str] = ()  # KEY=VALUE, of the sweep's cells; default: all


FIGURES: Final = (
    PaperFigure(name="tang2018-figure1", training="tang2018-figure1"),
    PaperFigure(name="tang2018-figure2a", training="tang2018-figure2a"),
    PaperFigure(name="tang2018-figure2bcd", training="tang2018-figure2a", sweep="tang2018-figure2bcd"),
    PaperFigure(name="tang2018-figure3", sweep="tang2018-figure3", only=["compute_scale=1"]),
    PaperFigure(name="tang2018-figure4a", training="tang2018-figure4a"),
    PaperFigure(name="tang2018-figure4b", training="tang2018-figure4b"),
    PaperFigure(name="jiang2018-figure1ab", training="jiang2018-figure1ab"),
    PaperFigure(name="jiang2018-figure1c", training="jiang2018-figure1c"),
    PaperFigure(name="jiang2018-figure1d", training="jiang2018-figure1d", sweep="jiang2018-figure1d-times"),
    PaperFigure(name="jiang2018-an4", training="jiang2018-an4"),
    PaperFigure(name="shi2019-figure1", training="shi2019-figure1"),
    PaperFigure(name="shi2019-figure2", training="shi2019-figure2"),
    PaperFigure(name="shi2019-speedup", sweep="shi2019-speedup"),
    PaperFigure(name="qsgd2016-figure1a", training="qsgd2016-figure1a"),
    PaperFigure(name="qsgd2016-figure1b", training="qsgd2016-figure1b"),
    PaperFigure(name="qsgd2016-figure2", sweep="qsgd2016-figure2"),
    PaperFigure(name="quality", training="quality"),
)


def chosen(names: Sequence[str]) -> list[PaperFigure]:
    """The figures with these names, in the order of the list, or all without names; UserError for an unknown one."""
    known = [figure.name for figure in FIGURES]
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name, known, 1, 0.0)
            raise UserError(f"figure {name} is not known: did you mean {near[0]}? (`gradwire figures --list`)")
    return [figure for figure in FIGURES if figure.name in names or not names]
