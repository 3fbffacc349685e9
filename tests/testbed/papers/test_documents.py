"""What is written about figures (docs/) names those that there are."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from algorithms.algorithm import ALGORITHMS
from testbed.papers.figures import FIGURES

ROOT = Path(__file__).parents[3]
DOCS = ROOT / "docs"
BY_NAME = {figure.name: figure for figure in FIGURES}


def test_the_table_of_figures_has_all_in_their_order() -> None:
    lines = (DOCS / "figures.md").read_text().splitlines()
    assert [found[1] for line in lines if (found := re.match(r"\| `([^`]+)` \|", line))] == list(BY_NAME)


def test_every_figure_can_be_reproduced_by_a_command_that_is_told() -> None:
    text = (DOCS / "reproducing.md").read_text()
    asked = {name for line in re.findall(r"^gradwire figures (.+)$", text, re.MULTILINE) for name in line.split()}
    assert asked == set(BY_NAME)
    uncut = {path.stem for path in (ROOT / "trainings").glob("*-full.yaml")}
    assert set(re.findall(r"trainings/([\w-]+-full)\.yaml", text)) == uncut


def test_every_algorithm_has_a_page() -> None:
    assert {path.stem for path in (DOCS / "algorithms").glob("*.md")} == set(ALGORITHMS.names())


@pytest.mark.parametrize("path", sorted((DOCS / "algorithms").glob("*.md")), ids=lambda path: path.stem)
def test_an_algorithms_page_names_figures_that_show_it(path: Path) -> None:
    (line,) = re.findall(r"^Figures: (`.+`)\.$", path.read_text(), re.MULTILINE)
    names = [name.strip("`") for name in line.split(", ")]
    assert "quality" in names
    assert all(path.stem in shown(name) for name in names)


def shown(name: str) -> set[str]:
    """The algorithms in a figure's files."""
    figure = BY_NAME[name]
    files = [ROOT / "trainings" / f"{figure.training}.yaml"] * bool(figure.training)
    files += [ROOT / "trainings" / f"{figure.training}-full.yaml"] * bool(figure.training)
    files += [ROOT / "sweeps" / f"{figure.sweep}.yaml"] * bool(figure.sweep)
    wholes = [YAML(typ="safe").load(file) for file in files]
    return {one for whole in wholes for block in (whole, *whole.get("include", [])) for one in algorithms(block)}


def algorithms(block: dict[str, Any]) -> set[str]:
    given = block.get("algorithm", [])
    return {one if isinstance(one, str) else one["name"] for one in (given if isinstance(given, list) else [given])}
