from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from containers import gpus
from testbed.errors import UserError

WITH_NVIDIA: dict[str, Any] = {"Runtimes": {"runc": {}, "nvidia": {}}}


@given(st.integers(1, 32), st.integers(1, 16))
def test_workers_are_shared_out_evenly(workers: int, count: int) -> None:
    used = Counter(gpus.gpu_of(rank, count) for rank in range(workers))
    assert set(used) == set(range(min(workers, count)))
    assert max(used.values()) - min(used.values()) <= 1
    assert gpus.sharing(workers, count)["workers_of_a_gpu"] == max(used.values())


def test_a_container_is_given_one_gpu_by_its_number() -> None:
    assert gpus.device_request(5, 4) == {
        "Driver": "nvidia", "Count": 0, "DeviceIDs": ["1"], "Capabilities": [["gpu"]], "Options": {}
    }  # fmt: skip


def test_the_drivers_gpus_are_counted(tmp_path: Path) -> None:
    assert gpus.installed(tmp_path / "no-driver") == 0
    for name in ("0000:01:00.0", "0000:02:00.0"):
        (tmp_path / name).mkdir()
    assert gpus.installed(tmp_path) == 2


def test_an_engine_without_the_runtime_is_refused() -> None:
    with pytest.raises(UserError, match=r"needs the NVIDIA container runtime, and this Docker engine has only runc: "):
        gpus.check({"Runtimes": {"runc": {}}}, 1)


def test_a_machine_without_a_gpu_is_refused() -> None:
    with pytest.raises(UserError, match="device cuda needs a GPU"):
        gpus.check(WITH_NVIDIA, 0)


def test_runtime_and_gpu_are_enough() -> None:
    gpus.check(WITH_NVIDIA, 1)
