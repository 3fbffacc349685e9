from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from testbed.labs.virtual import kernel


@pytest.fixture(scope="session")
def built_kernel() -> Path:
    """The guests' kernel; tests that need one are skipped where it has not been built."""
    found = kernel.find()
    if found is None:
        pytest.skip("the virtual lab's kernel is not built: run `make setup`")
    return found


@pytest.fixture
def runtime(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder for the spools of one test, by whose path its guests are known; in the end none may be left."""
    with tempfile.TemporaryDirectory(prefix="gradwire-test-") as name:  # short: sockets lie in it
        monkeypatch.setenv("XDG_RUNTIME_DIR", name)
        yield Path(name)
        assert _guests(Path(name)) == []
        assert list(Path(name).glob("gradwire/*")) == []


@pytest.fixture
def guests(runtime: Path) -> Callable[[], list[psutil.Process]]:
    """Asks for the test's guests, with all processes that they made."""
    return lambda: _guests(runtime)


def _guests(runtime: Path) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter(["cmdline"]):
        if any(word.startswith(f"uml_dir={runtime}") for word in process.info["cmdline"] or ()):
            found.append(process)
    return found
