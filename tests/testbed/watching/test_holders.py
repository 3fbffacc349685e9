from __future__ import annotations

from pathlib import Path

import pytest
from filelock import FileLock

from testbed.watching.holders import LOCKS, is_locked


@pytest.mark.skipif(not LOCKS.exists(), reason="this kernel does not tell of locks")
def test_a_lock_is_seen_while_it_is_held_and_stays_its_holders(tmp_path: Path) -> None:
    file = tmp_path / ".lock"
    assert is_locked(file) is False
    with FileLock(file):
        assert is_locked(file) is True
        assert is_locked(tmp_path) is False
    assert is_locked(file) is False


def test_who_only_waits_holds_nothing(tmp_path: Path) -> None:
    file, locks = tmp_path / "file", tmp_path / "locks"
    file.touch()
    device, inode = file.stat().st_dev, file.stat().st_ino
    name = f"{device >> 8 & 0xFFF:02x}:{device & 0xFF:02x}:{inode}"
    for line, expected in (("1: FLOCK", True), ("1: -> FLOCK", False), ("1: POSIX", False)):
        locks.write_text(f"{line}  ADVISORY  WRITE 7 {name} 0 EOF\n")
        assert is_locked(file, locks) is expected


def test_a_kernel_that_does_not_tell_is_no_answer(tmp_path: Path) -> None:
    assert is_locked(tmp_path, tmp_path / "absent") is None
