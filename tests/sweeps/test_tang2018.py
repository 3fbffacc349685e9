"""The shapes of Tang 2018, figure 3, measured: a shipped small sweep through the command line."""

import subprocess
import sys
from pathlib import Path

import pytest

from reports.claims import Verdict
from reports.tang2018 import tang_figure3_verdict
from testbed.errors import UserError
from testbed.labs.virtual import kernel
from testbed.results.run_folder import RunFolder
from testbed.results.table import table
from testbed.workloads import create

SWEEP = Path(__file__).parents[2] / "sweeps" / "tang2018-corners.yaml"


def require_lab_and_data() -> None:
    if kernel.find() is None:
        pytest.skip("the virtual lab's kernel is not built: make setup")
    try:
        create("resnet20").source  # noqa: B018  # looks for the data
    except UserError as error:
        pytest.skip(str(error))


@pytest.mark.virtual
@pytest.mark.data
@pytest.mark.timeout(1200)  # the first time, gradients are recorded: minutes of real training
def test_every_claim_of_figure_3_agrees(tmp_path: Path) -> None:
    require_lab_and_data()
    gradwire = str(Path(sys.executable).with_name("gradwire"))
    done = subprocess.run(
        [gradwire, "sweep", str(SWEEP), "--run", str(tmp_path / "run")], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr

    measured = table(RunFolder.existing(tmp_path / "run"))
    assert measured["status"].eq("ok").all()
    assert measured["faithful"].all()
    assert measured["settled"].all()
    claims = tang_figure3_verdict(measured)
    assert {claim.part for claim in claims} == {"a", "b", "c", "d"}
    assert [claim for claim in claims if claim.verdict is not Verdict.AGREE] == []
    assert (tmp_path / "run" / "figures" / "tang2018-figure3.html").is_file()
