"""The figures of a run: a module for each kind, found by being here. Each has `FIGURES`."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass

from matplotlib.figure import Figure

from reports.view import View


@dataclass(frozen=True, kw_only=True)
class FigureKind:
    """A kind of figure. `draw` makes it for one view, or returns None where the view has nothing for it."""

    name: str  # begins the file's name
    title: str
    reading: str  # one sentence: how to read it
    order: int  # on the page
    draw: Callable[[View], Figure | None]


def figure_kinds() -> list[FigureKind]:
    """Every module's FIGURES, in the page's order."""
    modules = [importlib.import_module(f"{__name__}.{m.name}") for m in pkgutil.iter_modules(__path__)]
    return sorted((kind for module in modules for kind in module.FIGURES), key=lambda kind: (kind.order, kind.name))
