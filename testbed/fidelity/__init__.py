"""How near the emulation is to what it emulates: exchanges beside a model, and measurements beside themselves."""

from __future__ import annotations

from testbed.fidelity.command import run

__all__ = ["run"]
