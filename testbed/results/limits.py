"""What a machine in real time could not do: why a cell's times are not the network's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

# Of a step, that the worker which waited most may have waited for a processor. Workers that are woken at one moment
# wait for each other a little, also where they have time for it.
PROCESSOR_WAIT_SHARE: Final = 0.05
LINKS: Final = (
    "saturated: this machine cannot carry all links at their rates at once; use fewer workers, a lower bandwidth, or "
    "the virtual lab"
)


def saturated(lab: str, document: Mapping[str, Any]) -> str | None:
    """Why a finished cell shows the machine's limit and not the network's, in one sentence; None where it does not."""
    if document["probe"].get("saturated"):
        return LINKS
    waited_s, step_s = document.get("processor_wait_s", 0.0), _mean_step_s(document)
    if waited_s > PROCESSOR_WAIT_SHARE * step_s and lab == "host":
        return (
            f"saturated: a worker waited {waited_s / step_s:.0%} of its time for a processor of this machine; end "
            "other programs, use fewer workers, or the virtual lab"
        )
    return None


def _mean_step_s(document: Mapping[str, Any]) -> float:
    steps_s = [step_s for repetition in document["repetitions"] for step_s in repetition["step_s"]]
    return float(sum(steps_s) / len(steps_s))
