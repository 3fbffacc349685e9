from __future__ import annotations

import errno
import os
import subprocess
from pathlib import Path

import pytest

from testbed.errors import LabError
from testbed.results import atomic


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "cell.json"
    atomic.write_json(path, {"value": 1})
    atomic.write_json(path, {"value": 2})
    assert path.read_text() == '{\n "value": 2\n}\n'
    assert [entry.name for entry in tmp_path.iterdir()] == ["cell.json"]


def test_a_full_disk_is_said_and_leaves_the_former_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "cell.json"
    atomic.write_bytes(path, b"former")

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(LabError, match=r"the disk is full: .*cell\.json .* make room and run the same command again"):
        atomic.write_bytes(path, b"latter")
    assert path.read_bytes() == b"former"
    assert [entry.name for entry in tmp_path.iterdir()] == ["cell.json"]


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small file system needs root")
def test_a_file_system_that_really_is_full(tmp_path: Path) -> None:
    mount = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(tmp_path)], capture_output=True)
    if mount.returncode:
        pytest.skip("this machine mounts no tmpfs")
    try:
        atomic.write_bytes(tmp_path / "kept.json", b"x" * 16_000)
        with pytest.raises(LabError, match="the disk is full"):
            atomic.write_bytes(tmp_path / "lost.json", b"x" * 100_000)
        assert [entry.name for entry in tmp_path.iterdir()] == ["kept.json"]
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


def test_leftovers_of_a_kill_are_removed_and_nothing_else(tmp_path: Path) -> None:
    for name in (".cell.json.123.partial", "cell.json", ".hidden"):
        (tmp_path / name).write_text("x")
    atomic.remove_partial(tmp_path)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == [".hidden", "cell.json"]
