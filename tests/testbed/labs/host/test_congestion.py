from __future__ import annotations

from pathlib import Path

import pytest

from testbed.errors import UserError
from testbed.labs.host import congestion


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in the place of /proc/sys/net/ipv4, where CUBIC is loaded and not allowed."""
    monkeypatch.setattr(congestion, "_ALLOWED", tmp_path / "allowed")
    monkeypatch.setattr(congestion, "_AVAILABLE", tmp_path / "available")
    (tmp_path / "allowed").write_text("reno bbr\n")
    (tmp_path / "available").write_text("reno bbr cubic\n")
    return tmp_path


def test_cubic_is_added_to_what_is_allowed_and_said(settings: Path) -> None:
    said: list[str] = []
    congestion.allow_cubic(said.append)
    assert (settings / "allowed").read_text() == "reno bbr cubic"
    assert congestion.allowed() and congestion.SETTING in said[0]


def test_what_is_allowed_is_left_alone(settings: Path) -> None:
    (settings / "allowed").write_text("cubic\n")
    congestion.allow_cubic(lambda text: pytest.fail(text))
    assert (settings / "allowed").read_text() == "cubic\n"


def test_a_kernel_without_cubic_is_refused(settings: Path) -> None:
    (settings / "available").write_text("reno\n")
    with pytest.raises(UserError, match="modprobe tcp_cubic"):
        congestion.allow_cubic()


def test_a_setting_that_is_not_ours_to_change_is_said(settings: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, text: str) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "write_text", refuse)
    with pytest.raises(UserError, match="Permission denied"):
        congestion.allow_cubic()
