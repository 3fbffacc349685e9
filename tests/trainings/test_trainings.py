"""The training files that are shipped: each can be trained, and each figure's has its full-size one beside it."""

from __future__ import annotations

from pathlib import Path

import pytest

from testbed.errors import UserError
from testbed.training.plan import load_training
from testbed.workloads import create

pytestmark = pytest.mark.data
FOLDER = Path(__file__).parents[2] / "trainings"
FULL = "-full"


@pytest.fixture(scope="module", autouse=True)
def data() -> None:
    try:
        create("resnet20").source  # noqa: B018  # looks for the data
    except UserError as error:
        pytest.skip(str(error))


def figures() -> list[Path]:
    return sorted(path for path in FOLDER.glob("*-figure*.yaml") if not path.stem.endswith(FULL))


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_training_file_can_be_trained_and_is_named_as_its_run(path: Path) -> None:
    plan = load_training(path)
    assert plan.name == path.stem or path.stem == "smoke"
    assert plan.trials


@pytest.mark.parametrize("path", figures(), ids=lambda path: path.stem)
def test_a_figures_training_has_three_seeds_and_beside_it_what_was_not_cut(path: Path) -> None:
    cut, full = load_training(path), load_training(path.with_stem(path.stem + FULL))
    assert {trial.seed for trial in cut.trials} == {trial.seed for trial in full.trials} == {1, 2, 3}
    assert {_system(trial) for trial in cut.trials} == {_system(trial) for trial in full.trials}
    assert not any(trial.workload_options for trial in full.trials)
    assert max(trial.epochs for trial in cut.trials) < min(trial.epochs for trial in full.trials)


def _system(trial) -> tuple[object, ...]:
    options = {key: trial.algorithm_options.get(key) for key in ("period", "density")}
    codec = dict(trial.codec_options)
    if codec.get("q") is not None:  # 1, or 1/m and 1/(m p), which differ where batches do
        codec["q"] = codec["q"] if codec["q"] == 1 else codec["q"] * trial.batch_size
    return (trial.algorithm, trial.codec, str(codec), str(options), trial.workers, trial.graph, trial.partition)
