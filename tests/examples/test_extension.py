"""The example of a package that extends Gradwire, installed as a user installs it: tested, planned, trained with."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from algorithms.algorithm import ALGORITHMS
from algorithms.codecs.codec import CODECS
from algorithms.registration import Registry
from testbed.errors import UserError
from testbed.labs.virtual import kernel
from testbed.results.provenance import collect
from testbed.specification import load_plan
from testbed.workloads.workload import registry as workloads

EXAMPLE = Path(__file__).parents[2] / "examples" / "extension"
MAIN = "import sys; from testbed.cli import main; sys.argv[0] = 'gradwire'; main()"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that pip has installed the package into, without a network."""
    folder = tmp_path_factory.mktemp("extension")
    source = shutil.copytree(EXAMPLE, folder / "source")  # setuptools writes beside what it builds
    options = ["--no-deps", "--no-index", "--no-build-isolation", "--quiet", "--disable-pip-version-check"]
    words = [sys.executable, "-m", "pip", "install", *options, "--target", str(folder / "target"), str(source)]
    subprocess.run(words, check=True)
    return folder / "target"


@pytest.fixture
def present(installed: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The package on this process's path, for one test."""
    monkeypatch.syspath_prepend(str(installed))
    yield
    registries: tuple[Registry[Any], ...] = (ALGORITHMS, CODECS, workloads)
    for each in registries:
        for name in each._extensions:
            del each._entries[name]
        each._extensions.clear()
    for name in [name for name in sys.modules if name.partition(".")[0] == "gradwire_example"]:
        del sys.modules[name]


def run(installed: Path, *words: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(installed), str(EXAMPLE.parents[1])])
    given = {**os.environ, "PYTHONPATH": path, **environment}
    return subprocess.run([sys.executable, *words], cwd=cwd, env=given, capture_output=True, text=True, check=False)


def test_its_own_tests_pass(installed: Path, tmp_path: Path) -> None:
    words = ("-m", "pytest", "-q", "-p", "no:cacheprovider", str(EXAMPLE / "tests"), "-c", os.devnull)
    done = run(installed, *words, "--rootdir", str(tmp_path), cwd=tmp_path, PYTHONDONTWRITEBYTECODE="1")
    assert done.returncode == 0, done.stdout


@pytest.mark.usefixtures("present")
def test_its_sweep_is_planned() -> None:
    plan = load_plan(EXAMPLE / "sweep.yaml", lambda: "virtual")
    assert {(cell.algorithm, cell.codec) for cell in plan.cells} == {
        ("allreduce", "fp32"),
        ("allreduce", "int8"),
        ("pairwise-gossip", "fp32"),
    }
    assert collect("x", {})["versions"]["gradwire-example"] == "0.1.0"


@pytest.mark.usefixtures("present")
def test_what_does_not_go_together_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "sweep.yaml"
    text = (EXAMPLE / "sweep.yaml").read_text()
    file.write_text(text.replace("- pairwise-gossip", "- {name: pairwise-gossip, codec: int8}"))
    with pytest.raises(UserError, match="algorithm pairwise-gossip: codec is int8, must be an exact one"):
        load_plan(file, lambda: "virtual")
    file.write_text(text.replace("resnet20", "measurements"))
    with pytest.raises(UserError, match="device k80 has no workload 'measurements'"):
        load_plan(file, lambda: "virtual")


def test_without_the_package_its_names_are_unknown() -> None:
    with pytest.raises(UserError, match="'int8', must be one of"):
        load_plan(EXAMPLE / "sweep.yaml", lambda: "virtual")


def write_data(folder: Path) -> None:
    """Four classes that can be told apart: `measurements.npz`."""
    draws = np.random.default_rng(1)
    centres = draws.normal(size=(4, 16)) * 2
    arrays: dict[str, Any] = {}
    for part, rows in (("train", 256), ("test", 64)):
        labels = np.arange(rows) % 4
        arrays[f"{part}_labels"] = labels
        arrays[f"{part}_inputs"] = (centres[labels] + draws.normal(size=(rows, 16))).astype(np.float32)
    np.savez(folder / "measurements.npz", **arrays)


def test_it_is_trained_with_its_own_data(installed: Path, tmp_path: Path) -> None:
    write_data(tmp_path)
    words = ("-c", MAIN, "train", str(EXAMPLE / "training.yaml"), "--run", "run", "--jobs", "1")
    done = run(installed, *words, cwd=tmp_path, TESTBED_DATA=str(tmp_path))
    assert done.returncode == 0, done.stderr + done.stdout
    epochs = pd.read_parquet(tmp_path / "run" / "table.parquet")
    assert set(epochs["algorithm"]) == {"allreduce", "error-feedback", "pairwise-gossip"}
    assert set(epochs["dataset"]) == {"measurements"}
    last = epochs[epochs["epoch"] == 3]
    assert len(last) == 3 and (last["metric"] > 0.9).all()


def test_without_its_data_the_training_says_what_it_needs(installed: Path, tmp_path: Path) -> None:
    words = ("-c", MAIN, "train", str(EXAMPLE / "training.yaml"), "--run", "run")
    done = run(installed, *words, cwd=tmp_path, TESTBED_DATA=str(tmp_path))
    assert done.returncode == 2
    assert "workload measurements needs measurements.npz: set TESTBED_DATA" in done.stderr


SWEEP = """\
name: in-guest
lab: virtual
workers: 3
bandwidth: 100 Mbit/s
latency: 1 ms
algorithm: [{name: allreduce, codec: int8}, pairwise-gossip]
gradients: none
"""


@pytest.mark.virtual
def test_workers_in_a_guest_have_it_too(installed: Path, tmp_path: Path) -> None:
    if kernel.find() is None:
        pytest.skip("the virtual lab's kernel is not built: run `make setup`")
    (tmp_path / "sweep.yaml").write_text(SWEEP)
    with tempfile.TemporaryDirectory(prefix="gradwire-test-") as runtime:  # short: sockets lie in it
        words = ("-c", MAIN, "sweep", "sweep.yaml", "--run", "run", "--jobs", "1")
        done = run(installed, *words, cwd=tmp_path, XDG_RUNTIME_DIR=runtime)
    assert done.returncode == 0, done.stderr + done.stdout
    cells = pd.read_parquet(tmp_path / "run" / "table.parquet")
    assert list(cells["status"]) == ["ok", "ok"]
    int8, gossip = cells["handed_bytes_per_step"]
    assert gossip == 2 * 4 * 269_722  # of three workers two meet
    assert int8 == pytest.approx(3 * 2 * 2 / 3 * 269_722, rel=1e-3)
