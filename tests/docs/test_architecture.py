"""docs/architecture.md says of every folder what it is, and folders know of each other only what it says."""

from __future__ import annotations

import ast
import importlib.util
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.pages import ROOT

ARCHITECTURE = ROOT / "docs" / "architecture.md"
# What a folder may not import, by what architecture.md says of it.
UNKNOWN_TO = {
    "algorithms": ("testbed", "shaping", "topologies", "containers", "reports", "mininet", "mpi4py"),
    "shaping": ("algorithms", "reports", "testbed.training", "testbed.workloads", "torch"),
    "topologies": ("algorithms", "reports", "testbed.training", "testbed.workloads", "torch"),
    "reports": ("algorithms", "shaping", "containers", "topologies", "testbed.labs", "testbed.session",
                "testbed.workers", "testbed.training", "torch", "mininet", "mpi4py"),
}  # fmt: skip


def packages() -> list[Path]:
    """The top-level packages, as pyproject.toml has them installed."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]["find"]
    return [ROOT / pattern.rstrip("*") for pattern in settings["include"]]


def described() -> set[str]:
    """The folders that the page's first table has a line of."""
    return set(re.findall(r"^\| `([\w/]+)/` \|", ARCHITECTURE.read_text(), re.MULTILINE))


def folders() -> list[Path]:
    """Packages, and those of the testbed, which is large."""
    inner = [path.parent for path in sorted((ROOT / "testbed").glob("*/__init__.py"))]
    return [*packages(), *inner]


@pytest.mark.parametrize("folder", folders(), ids=lambda path: str(path.relative_to(ROOT)))
def test_every_folder_is_described(folder: Path) -> None:
    assert folder.is_dir()
    assert str(folder.relative_to(ROOT)) in described(), f"{folder.name} has no row in docs/architecture.md"


def test_nothing_is_described_that_is_not_there() -> None:
    assert [name for name in described() if not (ROOT / name).is_dir()] == []


def test_the_diagram_is_the_one_that_its_program_draws(tmp_path: Path) -> None:
    spec = importlib.util.spec_from_file_location("architecture_diagram", ROOT / "docs" / "architecture_diagram.py")
    assert spec and spec.loader
    diagram = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(diagram)
    diagram.write(tmp_path / "drawn.svg")
    drawn = (tmp_path / "drawn.svg").read_text()
    assert drawn == diagram.FILE.read_text(), "run `make diagram`"
    for package in ("testbed", "topologies", "shaping", "containers", "algorithms", "reports"):
        assert package in drawn


def imported(source: Path) -> Iterator[str]:
    """The modules that a file imports, wherever in it: what is only for types is no dependency."""
    tree = ast.parse(source.read_text())
    for_types = {
        inner for node in ast.walk(tree) if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for inner in ast.walk(node)
    }  # fmt: skip
    for node in ast.walk(tree):
        if node in for_types:
            continue
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{name.name}" for name in node.names)


@pytest.mark.parametrize("folder", sorted(UNKNOWN_TO))
def test_a_folder_imports_nothing_that_it_knows_nothing_of(folder: str) -> None:
    wrong = [
        f"{source.relative_to(ROOT)} imports {module}"
        for source in sorted((ROOT / folder).rglob("*.py"))
        for module in imported(source)
        if any(module == unknown or module.startswith(f"{unknown}.") for unknown in UNKNOWN_TO[folder])
    ]
    assert not wrong, "\n".join(wrong)


def test_an_import_is_seen_wherever_it_is(tmp_path: Path) -> None:
    source = tmp_path / "module.py"
    source.write_text("def f():\n    from testbed import labs\n    import torch.nn\n")
    assert set(imported(source)) == {"testbed", "testbed.labs", "torch.nn"}
