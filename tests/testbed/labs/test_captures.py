from __future__ import annotations

import pytest

from testbed.cell import Cell, Network
from testbed.errors import UserError
from testbed.labs import captures
from testbed.labs.host import requirements
from testbed.labs.registry import LABS, create


def cell(lab: str, capture: bool) -> Cell:
    return Cell(
        lab=lab,
        network=Network(topology="star", workers=2, bandwidth_bit_per_s=1e6, latency_s=1e-3, queue_bytes=100_000),
        algorithm="allreduce",
        codec="fp32",
        graph="ring",
        workload="vector-10",
        batch_size=1,
        device="instant",
        gradients="none",
        capture=capture,
    )


@pytest.mark.parametrize("lab", LABS)
def test_a_missing_program_is_named_with_its_package_before_anything_starts(
    monkeypatch: pytest.MonkeyPatch, lab: str
) -> None:
    monkeypatch.setattr(captures, "PROGRAM", "no-such-program")
    monkeypatch.setattr(requirements, "missing", lambda found: None)
    said: list[str] = []
    with pytest.raises(UserError, match=r"^capture is true, .* install the Debian package no-such-program, or leave"):
        create(lab).prepare([cell(lab, False), cell(lab, True)], said.append)
    assert said == []


def test_whoever_captures_nothing_needs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(captures, "PROGRAM", "no-such-program")
    captures.require_program([cell("virtual", False)])
