from __future__ import annotations

import importlib.util
import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from rich.console import Console

from testbed.training import models
from testbed.training.folder import TrainingFolder
from testbed.training.plan import TrainingPlan, load_training
from testbed.training.run import Request, run_training
from testbed.workloads.workload import registry


@pytest.fixture(scope="session")
def tiny_module() -> ModuleType:
    """The module tests/testbed/training/tiny.py."""
    path = Path(__file__).with_name("tiny.py")
    spec = importlib.util.spec_from_file_location("tiny_training", path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def tiny(tiny_module: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The workload `tiny`, registered for one test."""
    monkeypatch.setitem(registry._entries, tiny_module.NAME, tiny_module.Tiny)
    models._prototype.cache_clear()
    yield tiny_module
    models._prototype.cache_clear()


class Trainings:
    """Runs training files of the workload `tiny` in a folder, and keeps what was said."""

    BASE = "workload: tiny\nworkers: 3\nbatch_size: 5\n"  # 4 steps an epoch

    def __init__(self, path: Path) -> None:
        self.file, self.folder, self.said = path / "trial.yaml", path / "run", ""

    def write(self, text: str) -> Path:
        self.file.write_text(self.BASE + text)
        return self.file

    def plan(self, text: str) -> TrainingPlan:
        return load_training(self.write(text))

    def __call__(self, text: str, run: Path | None = None, **more: Any) -> int:
        output = io.StringIO()
        request = Request(file=self.write(text), run=run or self.folder, **{"jobs": 1} | more)
        try:
            return run_training(request, Console(file=output, width=300))
        finally:
            self.said = output.getvalue()

    def records(self, run: Path | None = None) -> list[dict[str, Any]]:
        """The trials' records in the order of declaration, without what differs from run to run."""
        folder = TrainingFolder(run or self.folder)
        records = [folder.record(trial) for trial in folder.declared()]
        return [json.loads(json.dumps({**record, "real_s": 0, "session": 0})) for record in records if record]


@pytest.fixture
def train(tmp_path: Path, tiny: ModuleType) -> Trainings:
    return Trainings(tmp_path)
