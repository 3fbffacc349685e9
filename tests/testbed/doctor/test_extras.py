import subprocess
import sys
from pathlib import Path

import pytest

from testbed.doctor import extras
from testbed.doctor.check import Level
from testbed.doctor.engine import Engine
from testbed.errors import LabError


def engine(*runtimes: str, driver: str = "overlay2", devices: tuple[str, ...] = ()) -> Engine:
    return Engine(version="20", cgroup_version="2", storage_driver=driver, runtimes=runtimes, devices=devices)


def no_engine() -> Engine:
    raise LabError("no Docker engine answers: it sleeps")


def test_an_absent_engine_is_a_warning() -> None:
    verdict = extras.docker_engine(no_engine)
    assert verdict.level is Level.WARN and "it sleeps" in verdict.found
    assert extras.gpu_in_containers(no_engine).level is Level.SKIP


def test_an_engine_is_described() -> None:
    verdict = extras.docker_engine(engine)
    assert (verdict.level, verdict.found) == (Level.PASS, "20, cgroup v2, storage driver overlay2")
    assert verdict.facts["cgroup_version"] == "2"
    assert extras.docker_engine(lambda: engine(driver="vfs")).level is Level.WARN


@pytest.mark.parametrize(
    ("found", "level"),
    [
        (engine("runc"), Level.SKIP),
        (engine("nvidia", "runc"), Level.PASS),
        (engine("runc", devices=("nvidia.com/gpu=0",)), Level.PASS),
    ],
)
def test_containers_get_a_gpu_by_the_runtime_or_by_cdi(found: Engine, level: Level) -> None:
    assert extras.gpu_in_containers(lambda: found).level is level


def program(folder: Path, text: str) -> None:
    path = folder / "nvidia-smi"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


@pytest.mark.parametrize(
    ("text", "level", "words"),
    [
        ("echo 'NVIDIA X, 1.2, 80 GiB'", Level.PASS, "NVIDIA X"),
        ("echo 'driver mismatch'; exit 18", Level.WARN, "driver mismatch"),
        ("true", Level.WARN, "without a GPU"),
    ],
)
def test_the_driver_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, level: Level, words: str
) -> None:
    program(tmp_path, text)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    verdict = extras.driver()
    assert verdict.level is level and words in verdict.found


def test_no_driver_is_no_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert extras.driver().level is Level.SKIP


def test_torch_says_what_it_was_built_with() -> None:
    import torch

    assert torch.__version__ in extras.torch_sees().found


def test_doctor_imports_neither_torch_nor_docker_before_it_looks() -> None:
    code = "import sys, testbed.doctor; sys.exit(', '.join({'torch', 'docker'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stderr.strip() == ""
