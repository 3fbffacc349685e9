from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

from testbed.cache import CACHE_VARIABLE
from testbed.labs import native

SWEEP = """\
name: trial
workers: 4
bandwidth: [5 Mbit/s, 1.4 Gbit/s]
latency: 1 ms
algorithm: [allreduce, d-psgd]
"""


@pytest.fixture(scope="session")
def scripted() -> ModuleType:
    """The module tests/testbed/scripted_sweep.py."""
    path = Path(__file__).with_name("scripted_sweep.py")
    spec = importlib.util.spec_from_file_location("scripted_sweep", path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses and pickles look there
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def helpers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the compiled C helpers, in a cache of the tests' own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(CACHE_VARIABLE, str(tmp_path_factory.mktemp("cache")))
        return native.ensure()


@pytest.fixture
def sweep_file(tmp_path: Path) -> Path:
    """A sweep of four cells."""
    path = tmp_path / "trial.yaml"
    path.write_text(SWEEP)
    return path
