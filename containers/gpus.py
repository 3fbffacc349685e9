"""GPUs of containers: which one a worker's container gets, and whether the engine can give any."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from testbed.errors import UserError

if TYPE_CHECKING:
    from docker.types import DeviceRequest

RUNTIME = "nvidia"
DRIVER_FOLDER = Path("/proc/driver/nvidia/gpus")  # a folder for each GPU that the driver has


def gpu_of(rank: int, gpus: int) -> int:
    """The GPU of a worker, counted from 0: in turn, so that the workers of one GPU differ by one at most."""
    return rank % gpus


def device_request(rank: int, gpus: int) -> DeviceRequest:
    """What the engine is asked to give to a worker's container: one GPU, which other workers may share."""
    from docker.types import DeviceRequest

    return DeviceRequest(driver=RUNTIME, device_ids=[str(gpu_of(rank, gpus))], capabilities=[["gpu"]])


def installed(folder: Path = DRIVER_FOLDER) -> int:
    """How many GPUs this machine's driver has."""
    return len(list(folder.iterdir())) if folder.is_dir() else 0


def check(info: Mapping[str, Any], gpus: int) -> None:
    """UserError where containers cannot have GPUs; `info` is what the engine says of itself."""
    if RUNTIME not in info.get("Runtimes", {}):
        raise UserError(
            f"device cuda in containers needs the NVIDIA container runtime, and this Docker engine has only "
            f"{', '.join(sorted(info.get('Runtimes', {}))) or 'none'}: install nvidia-container-toolkit, run "
            "`nvidia-ctk runtime configure --runtime=docker` and start the engine anew, or use containers: none"
        )
    if gpus == 0:
        raise UserError(
            f"device cuda needs a GPU, and the NVIDIA driver of this machine has none ({DRIVER_FOLDER} is empty or "
            "absent): install the driver, or give the device's profile to the sweep"
        )


def sharing(workers: int, gpus: int) -> dict[str, Any]:
    """For provenance: which worker is on which GPU, and how many share one at most."""
    placed = [gpu_of(rank, gpus) for rank in range(workers)]
    return {"gpus": gpus, "gpu_of_worker": placed, "workers_of_a_gpu": max(map(placed.count, placed))}
