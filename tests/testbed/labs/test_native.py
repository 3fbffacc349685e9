import subprocess
from pathlib import Path

import pytest

from testbed.errors import LabError
from testbed.labs import native


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADWIRE_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def helper(tmp_path: Path) -> native.Helper:
    source = tmp_path / "seven.c"
    source.write_text("int main(void) { return 7; }\n")
    return native.Helper(source=source, name="seven")


def test_helper_is_compiled_once(helper: native.Helper) -> None:
    said: list[str] = []
    folder = native.ensure(said.append, (helper,))
    assert subprocess.run([folder / "seven"], check=False).returncode == 7
    assert native.ensure(said.append, (helper,)) == native.find((helper,)) == folder
    assert said == ["helpers: compiling seven.c"]


def test_changed_source_is_compiled_anew(helper: native.Helper) -> None:
    native.ensure(helpers=(helper,))
    helper.source.write_text("int main(void) { return 8; }\n")
    assert native.find((helper,)) is None
    assert subprocess.run([native.ensure(helpers=(helper,)) / "seven"], check=False).returncode == 8


def test_compiler_that_fails_is_quoted(helper: native.Helper) -> None:
    helper.source.write_text("int main(void) { return missing; }\n")
    with pytest.raises(LabError, match=r"gcc.*missing"):
        native.ensure(helpers=(helper,))
    assert native.find((helper,)) is None


def test_source_that_is_missing_is_named(helper: native.Helper) -> None:
    helper.source.unlink()
    with pytest.raises(LabError, match=r"seven\.c is missing"):
        native.ensure(helpers=(helper,))


def test_our_own_helpers_compile_without_a_warning() -> None:
    strict = tuple(
        native.Helper(source=helper.source, name=helper.name, flags=(*helper.flags, "-Werror"))
        for helper in native.HELPERS
    )
    folder = native.ensure(helpers=strict)
    assert {path.name for path in folder.iterdir()} == {
        "blocking_progress.so",
        "container_init",
        "delay_line",
        "join_rank",
        "mnexec",
    }
