"""The sweeps whose times shipped trainings are set against: each trial has a cell on each network."""

from __future__ import annotations

from pathlib import Path

import pytest

from testbed.errors import UserError
from testbed.specification import load_plan
from testbed.training.plan import load_training
from testbed.training.times import _differences
from testbed.workloads import create

pytestmark = pytest.mark.data
ROOT = Path(__file__).parents[2]
COMPOSED = [
    ("tang2018-figure2a", "tang2018-figure2bcd"),
    ("tang2018-figure2a-full", "tang2018-figure2bcd-full"),
    ("jiang2018-figure1d", "jiang2018-figure1d-times"),
    ("jiang2018-figure1d-full", "jiang2018-figure1d-times-full"),
]


@pytest.mark.parametrize(("training", "sweep"), COMPOSED)
def test_each_trial_has_a_cell_on_each_network(training: str, sweep: str) -> None:
    try:
        create("resnet20").source  # noqa: B018  # looks for the data
    except UserError as error:
        pytest.skip(str(error))
    cells = load_plan(ROOT / "sweeps" / f"{sweep}.yaml", lambda: "virtual").cells
    networks = {cell.network for cell in cells}
    for trial in load_training(ROOT / "trainings" / f"{training}.yaml").trials:
        assert {cell.network for cell in cells if not _differences(trial, cell)} == networks
