"""Whole pages, run as they are written: what they measure and train is measured and trained, in the virtual lab.

Left out is what sets up the machine (make, apt-get), and the commands of hours, which test_running.py plans.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from testbed.errors import UserError
from testbed.labs.virtual import kernel
from testbed.workloads import create
from tests.docs.commands import Command, commands_of
from tests.docs.pages import ROOT, fences

pytestmark = [pytest.mark.virtual, pytest.mark.data, pytest.mark.timeout(900)]

PAGES = {"quick-start.md": 6, "training.md": 4, "run.md": 3}  # and how many commands of each are run at least
RUN = ("gradwire", "mpicc")


def commands(page: str) -> list[Command]:
    found = [command for fence in fences("sh") if fence.page.name == page for command in commands_of(fence)]
    return [command for command in found if command.words and command.words[0] in RUN]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A reader's folder; skips where the virtual lab's kernel or the data is not there."""
    if kernel.find() is None:
        pytest.skip("the virtual lab's kernel is not built: run `make setup`")
    try:
        create("resnet20").source  # noqa: B018  # looks for the data
    except UserError as error:
        pytest.skip(str(error))
    folder = tmp_path_factory.mktemp("reader")
    for name in ("sweeps", "trainings", "examples"):
        shutil.copytree(ROOT / name, folder / name)
    (mine,) = [fence.text for fence in fences("yaml") if fence.page.name == "quick-start.md"]
    (folder / "mine.yaml").write_text(mine)
    return folder


@pytest.mark.parametrize("page", PAGES)
def test_every_command_of_the_page_ends_well(page: str, folder: Path) -> None:
    told = commands(page)
    assert len(told) >= PAGES[page]
    own = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    for command in told:
        words = shlex.join(command.words) + (f" > {shlex.quote(command.output)}" if command.output else "")
        done = subprocess.run(["sh", "-c", words], cwd=folder, env=own, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{command}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
