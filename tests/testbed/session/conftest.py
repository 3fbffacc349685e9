from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def join_rank(helpers: Path) -> Path:
    """The compiled program."""
    return helpers / "join_rank"


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """A folder with a short name: a Unix socket's path has 107 characters at most."""
    with tempfile.TemporaryDirectory(prefix="gradwire-test-") as name:
        yield Path(name)
