from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from testbed import recording
from testbed.cell import Cell, Network, Steps
from testbed.labs import recordings
from testbed.session.measure import steps_needed

STEPS = Steps()


def cell(algorithm: str, **options: Any) -> Cell:
    return Cell(
        lab="virtual",
        network=Network(topology="star", workers=4, bandwidth_bit_per_s=1e8, latency_s=1e-3, queue_bytes=1 << 20),
        algorithm=algorithm,
        algorithm_options=options,
        codec="qsgd" if algorithm == "pqasgd" else "fp32",
        graph="ring",
        workload="resnet20",
        batch_size=8,
        device="k80",
        steps=STEPS,
    )


@pytest.mark.parametrize(("algorithm", "options", "period"), [("allreduce", {}, 1), ("pqasgd", {"period": 8}, 8)])
def test_as_many_steps_are_recorded_as_the_algorithms_period_makes_it(
    monkeypatch: pytest.MonkeyPatch, algorithm: str, options: dict[str, int], period: int
) -> None:
    asked: list[int] = []

    def ensure(*, steps: int, **_: Any) -> SimpleNamespace:
        asked.append(steps)
        return SimpleNamespace(folder=Path("recording"))

    monkeypatch.setattr(recording, "ensure", ensure)
    recordings.ensure([cell(algorithm, **options)], lambda _: None)
    assert asked == [steps_needed(STEPS, period)]
    assert (steps_needed(STEPS, 8) > steps_needed(STEPS)) or period == 1
