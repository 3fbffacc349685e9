"""Files that are whole or absent: written under another name, forced to disk, then renamed."""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from testbed.errors import LabError

PARTIAL: Final = ".partial"  # ends the names of files under way; a kill -9 leaves them


def write_bytes(path: Path, content: bytes) -> None:
    """Put `content` at `path`, whole or not at all. LabError where the disk does not take it."""
    partial = path.with_name(f".{path.name}.{os.getpid()}{PARTIAL}")
    try:
        with partial.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
        _force_to_disk(path.parent)
    except OSError as error:
        _forget(partial)
        raise not_written(path, error) from error


def move_folder(source: Path, target: Path) -> None:
    """Move a folder of files to `target`, in the place of what is there, whole or not at all. OSError if it fails."""
    partial = target.with_name(f".{target.name}.{os.getpid()}{PARTIAL}")
    try:
        partial.mkdir(parents=True)
        for file in source.iterdir():
            moved = Path(shutil.move(file, partial / file.name))  # a copy where that is another file system
            with moved.open("rb") as content:
                os.fsync(content.fileno())
        if target.exists():
            shutil.rmtree(target)
        partial.rename(target)
        _force_to_disk(target.parent)
    except OSError:
        shutil.rmtree(partial, ignore_errors=True)
        raise


def not_written(path: Path, error: OSError) -> LabError:
    """The error to raise where a file of a run could not be written."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return LabError(
            f"the disk is full: {path} could not be written; all that was finished before is kept, "
            "so make room and run the same command again"
        )
    return LabError(
        f"{path} could not be written ({error.strerror}); all that was finished before is kept, "
        "so correct that and run the same command again"
    )


def write_json(path: Path, document: Mapping[str, Any]) -> None:
    """Put a document at `path` as JSON that any reader takes (no NaN)."""
    write_bytes(path, (json.dumps(document, indent=1, allow_nan=False) + "\n").encode())


def remove_partial(folder: Path) -> None:
    """Remove what writers that were killed left in a folder."""
    for path in folder.glob(f".*{PARTIAL}"):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def _force_to_disk(folder: Path) -> None:
    """A rename is kept through a power cut once its folder is written."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _forget(partial: Path) -> None:
    try:
        partial.unlink(missing_ok=True)
    except OSError:  # a file system that failed to write may fail here too; the next start tries again
        return
