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


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of two files."""
    folder = tmp_path / "spool" / "abc"
    folder.mkdir(parents=True)
    for name in ("one", "two"):
        (folder / name).write_text(name)
    return folder


def content(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir()}


def test_a_folder_takes_the_place_of_another(tmp_path: Path, folder: Path) -> None:
    target = tmp_path / "captures" / "abc"
    target.mkdir(parents=True)
    (target / "former").write_text("x")
    atomic.move_folder(folder, target)
    assert content(target) == {"one": "one", "two": "two"}
    assert [path.name for path in target.parent.iterdir()] == ["abc"]


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small file system needs root")
def test_a_folder_for_which_there_is_no_room_leaves_nothing(tmp_path: Path, folder: Path) -> None:
    (folder / "three").write_bytes(b"x" * 100_000)
    small = tmp_path / "small"
    small.mkdir()
    mount = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(small)], capture_output=True)
    if mount.returncode:
        pytest.skip("this machine mounts no tmpfs")
    try:
        with pytest.raises(OSError, match="No space left"):
            atomic.move_folder(folder, small / "abc")
        assert list(small.iterdir()) == []
    finally:
        subprocess.run(["umount", str(small)], check=True)


def test_leftovers_of_a_kill_are_removed_and_nothing_else(tmp_path: Path) -> None:
    for name in (".cell.json.123.partial", "cell.json", ".hidden"):
        (tmp_path / name).write_text("x")
    (tmp_path / ".folder.123.partial").mkdir()
    (tmp_path / ".folder.123.partial" / "file").write_text("x")
    atomic.remove_partial(tmp_path)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == [".hidden", "cell.json"]
