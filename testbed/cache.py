"""Where Gradwire keeps what it can make again (kernels, helpers, data), and what it needs while running.

The cache's entries are named by their content, so an entry is never stale, only unused; deleting the cache
costs time and nothing else.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import platformdirs
from filelock import FileLock

from testbed.errors import UserError

CACHE_VARIABLE = "GRADWIRE_CACHE"  # a folder to use in place of the user's cache folder
_KEY_DIGITS = 16


def cache_folder() -> Path:
    """The folder of the user's cache, `$GRADWIRE_CACHE` if that is set; it may not exist yet."""
    chosen = os.environ.get(CACHE_VARIABLE)
    return Path(chosen).absolute() if chosen else platformdirs.user_cache_path("gradwire", appauthor=False)


def content_key(*parts: bytes | str | Path) -> str:
    """Sixteen hexadecimal digits of the parts' content; a Path stands for what its file holds."""
    whole = hashlib.sha256()
    for part in parts:
        content = part.read_bytes() if isinstance(part, Path) else part
        content = content.encode() if isinstance(content, str) else content
        whole.update(hashlib.sha256(content).digest())  # digests have one length, so parts cannot run into each other
    return whole.hexdigest()[:_KEY_DIGITS]


@contextmanager
def building(final: Path) -> Iterator[Path | None]:
    """Lock the entry `final` and yield an empty folder to fill, or None where the entry exists already.

    The folder becomes `final` in one step when the block ends; if the block raises, nothing is left of it.
    A second process that wants the same entry waits.
    """
    final.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(final.with_name(f"{final.name}.lock")):
        if final.exists():
            yield None
            return
        unfinished = final.with_name(f"{final.name}.unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)  # of a process that was killed: we hold its lock now
        unfinished.mkdir()
        try:
            yield unfinished
            unfinished.rename(final)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)


def runtime_folder() -> Path:
    """The user's folder for what lives no longer than a run (spools of guests, sockets), made if missing.

    It is in $XDG_RUNTIME_DIR, or in the folder for temporary files; a guest must not mount anything over it.
    """
    base = os.environ.get("XDG_RUNTIME_DIR")
    if base and os.access(base, os.W_OK | os.X_OK):
        folder = Path(base) / "gradwire"
    else:
        folder = Path(tempfile.gettempdir()) / f"gradwire-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.is_symlink() or folder.stat().st_uid != os.getuid():
        raise UserError(f"runtime folder {folder} must be yours: set XDG_RUNTIME_DIR to a folder of your own")
    return folder
