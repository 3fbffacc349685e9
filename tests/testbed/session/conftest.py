from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from testbed.cache import CACHE_VARIABLE
from testbed.labs.virtual import native


@pytest.fixture(scope="session")
def join_rank(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The compiled program, in a cache of the tests' own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(CACHE_VARIABLE, str(tmp_path_factory.mktemp("cache")))
        return native.ensure() / "join_rank"


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """A folder with a short name: a Unix socket's path has 107 characters at most."""
    with tempfile.TemporaryDirectory(prefix="gradwire-test-") as name:
        yield Path(name)
