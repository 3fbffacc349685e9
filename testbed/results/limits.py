"""What a machine in real time could not do: why a cell's times are not the network's, or not the device's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from testbed.cell import Cell

# Of a step, that the worker which waited most may have waited for a processor. Workers that are woken at one moment
# wait for each other a little, also where they have time for it.
PROCESSOR_WAIT_SHARE: Final = 0.05
# A device that this machine is too slow to be is not shown as that device. One percent is what the contract admits
# between a lab and its model; the host lab's own repetitions differ by more.
MOST_OVERRUN: Final = 0.01
LINKS: Final = (
    "saturated: this machine cannot carry all links at their rates at once; use fewer workers, a lower bandwidth, or "
    "the virtual lab"
)


def limit(cell: Cell, document: Mapping[str, Any]) -> tuple[str, str] | None:
    """Status and reason of a finished cell that shows the machine's limit; None where it shows what it was to."""
    if document["probe"].get("saturated"):
        return "saturated", LINKS
    waited_s, step_s = document.get("processor_wait_s", 0.0), _mean_step_s(document)
    if cell.lab == "host" and waited_s > PROCESSOR_WAIT_SHARE * step_s:
        return "saturated", (
            f"saturated: a worker waited {waited_s / step_s:.0%} of its time for a processor of this machine; end "
            "other programs, use fewer workers, or the virtual lab"
        )
    if overrun_share(document) > MOST_OVERRUN:
        return "overrun", (
            f"overrun: {overrun_share(document):.1%} of the time this machine still did work that device {cell.device} "
            "would have done; use the virtual lab, fewer workers, or recorded gradients"
        )
    return None


def overrun_share(document: Mapping[str, Any]) -> float:
    """The share of its time in which the worker that overran longest did work that the device would have done."""
    return float(document.get("overrun", {}).get("share", 0.0))


def _mean_step_s(document: Mapping[str, Any]) -> float:
    steps_s = [step_s for repetition in document["repetitions"] for step_s in repetition["step_s"]]
    return float(sum(steps_s) / len(steps_s))
