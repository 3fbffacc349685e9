"""Figures for papers: of a column's width, vector, without title and foot, every number beside them as CSV.

A module for each kind, found by being here. Each has `FIGURES`.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd
from matplotlib.figure import Figure

from reports.paper.sheet import Sheet
from reports.view import View
from testbed.errors import UserError


@dataclass(frozen=True, kw_only=True)
class PaperFigure:
    """A kind of figure. `draw` returns None where a view has nothing for it; `needs` says what it would need."""

    name: str  # that of the same figure of a report
    needs: str
    draw: Callable[[View, Sheet], Figure | None]
    numbers: Callable[[View], pd.DataFrame]  # all that is drawn, units in the names of columns
    caption: Callable[[View], str]


def figures() -> dict[str, PaperFigure]:
    """All of them, by name."""
    modules = [importlib.import_module(f"{__name__}.{m.name}") for m in pkgutil.iter_modules(__path__)]
    found = (figure for module in modules for figure in getattr(module, "FIGURES", ()))
    return {figure.name: figure for figure in sorted(found, key=lambda figure: figure.name)}


def find(name: str) -> PaperFigure:
    """The figure of that name; UserError lists all."""
    known = figures()
    if name not in known:
        raise UserError(f"figure {name} is not known: choose one of {', '.join(known)}")
    return known[name]
