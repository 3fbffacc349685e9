from __future__ import annotations

import pytest
import torch

from testbed.cell import Cell, Network
from testbed.errors import UserError
from testbed.workers import devices


def cell(lab: str, device: str) -> Cell:
    return Cell(
        lab=lab,
        network=Network(topology="star", workers=4, bandwidth_bit_per_s=1e8, latency_s=1e-3, queue_bytes=1 << 20),
        algorithm="allreduce",
        codec="fp32",
        graph="ring",
        workload="vector-1000",
        batch_size=32,
        device=device,
        gradients="none",
    )


def test_workers_take_the_gpus_in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    taken = [devices.device_of(cell("host", "cuda"), rank) for rank in range(4)]
    assert taken == [torch.device("cuda", number) for number in (0, 1, 0, 1)]


@pytest.mark.parametrize(("lab", "device"), [("virtual", "cuda"), ("virtual", "cpu"), ("host", "cpu"), ("host", "k80")])
def test_what_is_emulated_lies_in_the_hosts_memory(lab: str, device: str) -> None:
    assert devices.device_of(cell(lab, device), 0) == torch.device("cpu")
    assert devices.describe(torch.device("cpu")) == "cpu"


def test_a_gpu_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "gpus", tuple)
    with pytest.raises(UserError, match=r"device cuda in lab host .* run `gradwire doctor`, or choose"):
        devices.require("cuda")
    devices.require("cpu")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no GPU here")
def test_a_gpu_is_synchronised_and_described() -> None:
    device = torch.device("cuda", 0)
    values = torch.ones(1 << 22, device=device)
    for _ in range(100):
        values.mul_(1.0001)
    devices.synchroniser(device)()
    assert torch.cuda.current_stream(device).query()
    assert devices.gpus()[0] in devices.describe(device)


@pytest.mark.parametrize(
    ("lab", "device", "can"),
    [("host", "k80", True), ("host", "cpu", False), ("virtual", "k80", False), ("virtual", "cpu", False)],
)
def test_only_an_emulated_device_in_real_time_can_be_overrun(lab: str, device: str, can: bool) -> None:
    assert cell(lab, device).can_overrun is can
