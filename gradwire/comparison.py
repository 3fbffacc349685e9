"""Two runs, compared."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from reports import comparison as told
from reports.comparison.forest import draw
from reports.comparison.wording import answer
from testbed import comparing


class Comparison:
    """What became faster or slower beyond noise. Make one with `Run.compare`."""

    def __init__(self, comparison: told.Comparison) -> None:
        self._told = comparison

    @property
    def answer(self) -> str:
        """In a few sentences: how many cells became slower, and faster, and which most."""
        return " ".join(answer(self._told, None))

    @property
    def warnings(self) -> list[str]:
        """What else differs between the runs, such as the kernel."""
        return list(self._told.warnings)

    def table(self) -> pd.DataFrame:
        """One row per cell of either run; `ratio` is the epoch time of the second over that of the first."""
        return told.frame(self._told)

    def fails(self, bound: str) -> bool:
        """Whether a cell is slower by more than the bound, such as `"5%"`, beyond noise, or has no valid result now."""
        return self._told.fails(comparing.share(bound))

    def markdown(self, bound: str | None = None) -> str:
        """For a comment on a pull request; with the outcome of the check, if a bound is given."""
        return told.markdown(self._told, None if bound is None else comparing.share(bound))

    def write_page(self, path: str | PathLike[str], bound: str | None = None) -> Path:
        """Write one self-contained HTML file; its path."""
        comparing.write_page(self._told, Path(path), None if bound is None else comparing.share(bound))
        return Path(path)

    def figure(self) -> Figure | None:
        """Each cell's change with its interval; None where no cell could be compared."""
        return draw(self._told)

    def __repr__(self) -> str:
        return f"<Comparison: {self.answer}>"
