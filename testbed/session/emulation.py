"""What differs between labs once a session runs in one: how links are shaped, and how exact that is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from shaping.plan import LinkShaping
from shaping.probe import Tolerance
from testbed.cell import Hosting
from testbed.errors import LabError
from testbed.session.hosts import Hosts
from topologies.wiring import Wiring


class LinkShaper(Protocol):
    """Shapes the links of a running network, again and again, without touching connections."""

    def apply(self, plan: Sequence[LinkShaping]) -> None:
        """Set every link, which is empty, its counts at zero; LabError where the kernel refuses."""

    def change(self, plan: Sequence[LinkShaping]) -> None:
        """Set what differs from the plan that was set last, under traffic; LabError where the kernel refuses."""

    def calibrate(self, plan: Sequence[LinkShaping]) -> None:
        """Make the delays of the plan that was applied exact, where the kernel alone does not; links must be empty."""

    def read_back(self, plan: Sequence[LinkShaping]) -> list[dict[str, Any]]:
        """What the kernel has, a record per link; LabError where that is not the plan."""

    def drain(self, within_s: float) -> None:
        """Wait until all links are empty; LabError where they are not."""

    def report(self) -> dict[str, Any]:
        """What was counted since a plan was applied; `dropped`: packets lost as links were told to lose them."""

    def close(self) -> None:
        """Give up what the shaper holds."""


def _no_containers(hosting: Hosting) -> Hosts:
    raise LabError(f"this lab has no containers, and a cell asks for {hosting.name}")


@dataclass(frozen=True, kw_only=True)
class Emulation:
    """A lab's way to emulate a network."""

    shaper: Callable[[Wiring, Mapping[str, int]], LinkShaper]  # of a running network: wiring, processes by node
    tolerance: Tolerance
    real_time: bool  # the machine's speed limits what it can emulate
    super_packet_s: float  # the longest time that a super-packet may take at a link's rate
    containers: Callable[[Hosting], Hosts] = _no_containers  # makes the hosts of cells that ask for containers
