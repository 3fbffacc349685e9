"""CUBIC, the congestion control that every emulated host is to choose: a permission of the whole machine."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from testbed.errors import UserError

SETTING = "net.ipv4.tcp_allowed_congestion_control"
_ALLOWED = Path("/proc/sys", *SETTING.split("."))
_AVAILABLE = _ALLOWED.with_name("tcp_available_congestion_control")


def allowed() -> bool:
    """Whether new network namespaces may choose CUBIC."""
    return "cubic" in _ALLOWED.read_text().split()


def available() -> bool:
    """Whether the kernel has CUBIC loaded."""
    return "cubic" in _AVAILABLE.read_text().split()


def allow_cubic(say: Callable[[str], None] = lambda _: None) -> None:
    """Let new network namespaces choose CUBIC, where the machine does not yet: a permission, which stays.

    UserError where the kernel has no CUBIC, or the permission is not this user's to give.
    """
    if allowed():
        return
    if not available():
        raise UserError("lab host needs TCP's CUBIC, which this kernel has not loaded: modprobe tcp_cubic")
    say(f"allowing CUBIC in this machine's network namespaces ({SETTING})")
    try:
        _ALLOWED.write_text(f"{_ALLOWED.read_text().strip()} cubic")
    except OSError as error:
        raise UserError(f"{SETTING} cannot be changed ({error.strerror}): add cubic to it as root") from error
