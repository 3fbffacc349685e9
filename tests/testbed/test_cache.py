from pathlib import Path

import pytest

from testbed import cache
from testbed.errors import UserError


def test_key_depends_on_content_and_on_its_division() -> None:
    assert cache.content_key("ab", "c") != cache.content_key("a", "bc")
    assert cache.content_key("ab") == cache.content_key(b"ab")


def test_key_of_a_path_is_the_key_of_its_content(tmp_path: Path) -> None:
    file = tmp_path / "x"
    file.write_text("content")
    assert cache.content_key(file) == cache.content_key("content")


def test_cache_folder_is_the_one_that_the_variable_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(cache.CACHE_VARIABLE, str(tmp_path))
    assert cache.cache_folder() == tmp_path


def test_entry_appears_whole(tmp_path: Path) -> None:
    entry = tmp_path / "kind" / "key"
    with cache.building(entry) as folder:
        assert folder is not None
        (folder / "file").write_text("x")
        assert not entry.exists()
    assert (entry / "file").read_text() == "x"


def test_entry_that_exists_is_not_made_again(tmp_path: Path) -> None:
    entry = tmp_path / "key"
    entry.mkdir()
    with cache.building(entry) as folder:
        assert folder is None


def test_failure_leaves_no_entry_and_does_not_block_the_next(tmp_path: Path) -> None:
    entry = tmp_path / "key"
    with pytest.raises(RuntimeError), cache.building(entry) as folder:
        assert folder is not None
        (folder / "half").write_text("x")
        raise RuntimeError
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == []
    with cache.building(entry) as folder:
        assert folder is not None


def test_what_a_killed_build_left_is_not_part_of_the_entry(tmp_path: Path) -> None:
    entry = tmp_path / "key"
    (tmp_path / "key.unfinished").mkdir()
    (tmp_path / "key.unfinished" / "half").write_text("x")
    with cache.building(entry):
        pass
    assert list(entry.iterdir()) == []


def test_runtime_folder_is_private(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    folder = cache.runtime_folder()
    assert folder.parent == tmp_path
    assert folder.stat().st_mode & 0o777 == 0o700


def test_runtime_folder_that_is_a_link_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "gradwire").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UserError, match="must be yours"):
        cache.runtime_folder()
