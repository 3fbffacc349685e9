"""Checks of what only some sweeps ask for: containers, and a GPU to compute on."""

from __future__ import annotations

import functools
import shutil
import warnings
from collections.abc import Callable
from dataclasses import asdict

from testbed.command import run
from testbed.doctor import engine
from testbed.doctor.check import Check, Verdict, passed, skipped, warned
from testbed.errors import LabError

_ONLY_CUDA = "needed for `device: cuda` alone"
_Ask = Callable[[], engine.Engine]


def container_checks(ask: _Ask = engine.ask) -> tuple[Check, ...]:
    """Checks of the Docker engine."""
    return (Check(name="Docker engine", look=lambda: docker_engine(ask)),)


def gpu_checks(ask: _Ask = engine.ask) -> tuple[Check, ...]:
    """Checks of the GPU, from the driver up to containers."""
    return (
        Check(name="NVIDIA driver", look=driver),
        Check(name="torch", look=torch_sees),
        Check(name="GPU in containers", look=functools.partial(gpu_in_containers, ask)),
    )


def docker_engine(ask: _Ask) -> Verdict:
    """Whether an engine answers, and what kind of one it is."""
    try:
        found = ask()
    except LabError as error:
        return warned(
            str(error), "only sweeps with containers need one: install and start the Debian package docker.io"
        )
    words = f"{found.version}, cgroup v{found.cgroup_version}, storage driver {found.storage_driver}"
    if found.storage_driver == "vfs":
        return warned(words, "images are copied whole: use the storage driver overlay2", **asdict(found))
    return passed(words, **asdict(found))


def driver() -> Verdict:
    """Whether the driver sees a GPU."""
    if shutil.which("nvidia-smi") is None:
        return skipped("none: nvidia-smi is not on PATH", _ONLY_CUDA)
    query = ["nvidia-smi", "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"]
    try:
        gpus = [line.strip() for line in run(query, timeout_s=30).splitlines() if line.strip()]
    except LabError as error:
        return warned(str(error), "put the driver right, or choose a device profile")
    if not gpus:
        return warned("a driver without a GPU", "see whether the GPU is passed through to this machine")
    return passed("; ".join(gpus), gpus=gpus)


def torch_sees() -> Verdict:
    """Whether torch can compute on a GPU."""
    import torch  # takes a second

    if torch.version.cuda is None:
        return skipped(f"torch {torch.__version__} is built without CUDA", f"install its CUDA build; {_ONLY_CUDA}")
    with warnings.catch_warnings(record=True) as said:  # why not, where it cannot
        warnings.simplefilter("always")
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if count == 0:
        why = "; ".join(str(warning.message).splitlines()[0] for warning in said) or "it sees no GPU"
        return warned(f"torch {torch.__version__}, CUDA {torch.version.cuda}: {why}", _ONLY_CUDA)
    names = [torch.cuda.get_device_name(number) for number in range(count)]
    return passed(f"torch {torch.__version__}, CUDA {torch.version.cuda}: {', '.join(names)}", gpus=names)


def gpu_in_containers(ask: _Ask) -> Verdict:
    """Whether the Docker engine can give containers a GPU: by its NVIDIA runtime, or by CDI."""
    try:
        found = ask()
    except LabError:
        return skipped("no Docker engine")
    devices = [device for device in found.devices if device.startswith("nvidia.com/gpu")]
    if "nvidia" in found.runtimes or devices:
        return passed("by the NVIDIA runtime" if "nvidia" in found.runtimes else f"by CDI: {', '.join(devices)}")
    return skipped(
        f"the engine has no NVIDIA runtime (it has {', '.join(found.runtimes) or 'none'})",
        f"install the NVIDIA Container Toolkit; {_ONLY_CUDA} in containers",
    )
