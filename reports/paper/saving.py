"""A paper's figure and its numbers as the content of files: equal runs give equal files."""

from __future__ import annotations

import io
import warnings
from collections.abc import Mapping
from typing import Any, Final

import pandas as pd
from matplotlib.figure import Figure

from reports.paper.sheet import style
from reports.quantities import printable

FORMATS: Final = ("pdf", "svg", "png")


def content(figure: Figure, kind: str, about: str) -> bytes:
    """The figure in one of `FORMATS`; `about` says in the file where its numbers come from. No dates, no versions."""
    file = io.BytesIO()
    with style(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")  # of a hostile name: shown as a box
        figure.savefig(file, format=kind, metadata=_metadata(kind, printable(about)))
    return file.getvalue()


def _metadata(kind: str, about: str) -> Mapping[str, Any]:
    if kind == "pdf":
        return {"CreationDate": None, "Creator": "Gradwire", "Producer": None, "Subject": about}
    if kind == "svg":
        return {"Date": None, "Creator": "Gradwire", "Description": about}
    return {"Software": "Gradwire", "Description": about}


def csv(numbers: pd.DataFrame) -> bytes:
    """The numbers in full precision."""
    text: str = numbers.to_csv(index=False)
    return text.encode()
