"""What cells need of this machine for their packets to be captured."""

from __future__ import annotations

import shutil
from collections.abc import Iterable

from testbed.cell import Cell
from testbed.errors import UserError
from testbed.session.capture import PROGRAM


def require_program(cells: Iterable[Cell]) -> None:
    """Raise UserError where a cell is to be captured, and this machine has not what captures."""
    if any(cell.capture for cell in cells) and shutil.which(PROGRAM) is None:
        raise UserError(
            f"capture is true, which needs the program {PROGRAM}: install the Debian package {PROGRAM}, "
            "or leave capture out"
        )
