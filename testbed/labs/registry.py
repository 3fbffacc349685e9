"""The labs by name. A new lab is a folder here, with a line in LABS."""

from __future__ import annotations

import importlib

from testbed.errors import UserError
from testbed.labs.lab import Lab

LABS = {  # imported when used: labs need what others may lack
    "virtual": ("testbed.labs.virtual.lab", "VirtualLab"),
    "host": ("testbed.labs.host.lab", "HostLab"),
}


def names() -> tuple[str, ...]:
    """The names that a sweep file may give."""
    return tuple(LABS)


def create(name: str) -> Lab:
    """The named lab; UserError for one that this version has not."""
    if name not in LABS:
        raise UserError(f"lab {name!r} is not available; choose one of {', '.join(LABS)}")
    module, lab = LABS[name]
    made: Lab = getattr(importlib.import_module(module), lab)()
    return made


def lack(name: str) -> str | None:
    """What this machine lacks for a lab, with what to do; None where it lacks nothing that set-up does not make."""
    if name != "host":
        return None
    from testbed.labs.host import requirements

    return requirements.missing(requirements.lacks())


def auto() -> tuple[str, str]:
    """The lab that `lab: auto` means here, and why."""
    return "virtual", "it needs no root, and its times do not depend on this machine's speed"
