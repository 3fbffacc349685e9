"""`make docs`: Sphinx builds all pages without a warning, and what it built needs no network."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import gradwire
from tests.docs.pages import ROOT


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("docs")
    words: list[str | Path] = [
        sys.executable,
        "-m",
        "sphinx",
        "-W",
        "--keep-going",
        "-q",
        "-d",
        folder / "trees",
        ROOT / "docs",
    ]
    done = subprocess.run([*words, folder / "html"], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr
    return folder / "html"


def test_every_page_is_built_and_reached(built: Path) -> None:
    index = (built / "index.html").read_text()
    for page in ("quick-start", "architecture", "contributing", "algorithms"):
        assert (built / f"{page}.html").is_file() and f'href="{page}.html"' in index


def test_no_page_asks_for_anything_from_elsewhere(built: Path) -> None:
    loads = re.compile(r"""<(?:script|img|iframe)[^>]*\ssrc="(?:https?:)?//|<link[^>]*\shref="(?:https?:)?//""")
    asking = [page.name for page in built.rglob("*.html") if loads.search(page.read_text())]
    assert not asking


def test_the_page_on_python_has_all_that_the_package_offers(built: Path) -> None:
    page = (built / "python-api.html").read_text()
    classes = [name for name in gradwire.__all__ if not name.endswith("Error")]
    assert [name for name in classes if f'id="gradwire.{name}"' not in page] == []
    assert 'id="gradwire.Sweep.from_file"' in page
