"""`gradwire figures`: what is run for a figure, in which folder, and what the index says of it afterwards."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from reports.pages import page_kinds
from testbed.errors import LabError, UserError
from testbed.labs import registry as labs
from testbed.papers import run
from testbed.papers.figures import FIGURES, PaperFigure, chosen
from testbed.papers.run import Request, list_figures, run_figures, write_index

ROOT = Path(__file__).parents[3]
TRAINED = PaperFigure(name="tang2018-figure1", training="one")
TIMED = PaperFigure(name="tang2018-figure2a", training="two", sweep="net", only=["seed=1"])


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """A checkout with two figures, and what sweeps and trainings are asked for in it; `status` is what they answer."""
    (tmp_path / "trainings").mkdir()
    monkeypatch.chdir(tmp_path)
    for module in (run, "testbed.papers.figures"):
        monkeypatch.setattr(f"{getattr(module, '__name__', module)}.FIGURES", (TRAINED, TIMED))
    found: list[Any] = []

    def answer(request: Any, *_: object) -> int:
        found.append(request)
        status: int | Exception = STATUS.get(request.file.stem, 0)
        if isinstance(status, Exception):
            raise status
        return status

    monkeypatch.setattr("testbed.sweep.run_sweep", answer)
    monkeypatch.setattr("testbed.training.run.run_training", answer)
    STATUS.clear()
    return found


STATUS: dict[str, Any] = {}


def figures(*names: str, **more: Any) -> tuple[int, str]:
    output = io.StringIO()
    return run_figures(Request(names=names, **more), labs, Console(file=output, width=300)), output.getvalue()


def steps(asked: Sequence[Any]) -> list[str]:
    return [str(request.file) for request in asked]


def test_a_figure_is_its_sweep_then_its_training_with_the_sweeps_times(asked) -> None:
    status, said = figures("tang2018-figure2a", runs=Path("elsewhere"), jobs=3)
    assert status == 0 and steps(asked) == ["sweeps/net.yaml", "trainings/two.yaml"]
    swept, trained = asked
    assert (swept.run, swept.only, swept.jobs) == (Path("elsewhere/net"), ["seed=1"], 3)
    assert (trained.run, trained.times, trained.jobs) == (Path("elsewhere/two"), Path("elsewhere/net"), 3)
    assert "all figures: elsewhere/figures.html" in said


def test_all_are_made_without_a_name_and_one_that_fails_does_not_stop_the_others(asked) -> None:
    STATUS["one"] = LabError("the disk is full")
    status, said = figures()
    assert status == 1 and steps(asked) == ["trainings/one.yaml", "sweeps/net.yaml", "trainings/two.yaml"]
    assert "failed: tang2018-figure1: the disk is full" in said
    assert "failed, in part or whole: tang2018-figure1\n" in said


def test_a_stop_stops_all_and_says_how_to_go_on(asked) -> None:
    STATUS["net"] = 130
    status, said = figures("tang2018-figure1", "tang2018-figure2a", jobs=1)
    assert status == 130 and steps(asked) == ["trainings/one.yaml", "sweeps/net.yaml"]
    assert "go on with: gradwire figures tang2018-figure1 tang2018-figure2a --jobs 1" in said


def test_elsewhere_than_in_the_checkout_nothing_is_run(asked, tmp_path: Path) -> None:
    (tmp_path / "trainings").rmdir()
    with pytest.raises(UserError, match="no folder trainings here: change to Gradwire's checkout"):
        figures()
    assert not asked


def test_what_was_not_run_is_on_the_index_with_its_command(asked, tmp_path: Path) -> None:
    page = write_index(tmp_path / "runs").read_text()
    assert "2 figures, 0 of them run; judgements: none." in page
    assert "gradwire figures tang2018-figure2a" in page


def test_an_unknown_figure_is_a_mistake() -> None:
    with pytest.raises(UserError, match="did you mean shi2019-figure2"):
        chosen(["shi2019-figur2"])
    assert [figure.name for figure in chosen([])] == [figure.name for figure in FIGURES]


@pytest.mark.parametrize("figure", FIGURES, ids=lambda figure: figure.name)
def test_every_figure_has_its_files_and_its_page(figure: PaperFigure) -> None:
    assert figure.training or figure.sweep
    for folder, stem in (("trainings", figure.training), ("sweeps", figure.sweep)):
        assert not stem or (ROOT / folder / f"{stem}.yaml").is_file()
    attribute = "TRAINING_PAGE" if figure.training else "PAGE"
    assert figure.name in {kind.name for kind in page_kinds(attribute)}


def test_every_training_for_a_figure_is_made() -> None:
    files = {path.stem for path in (ROOT / "trainings").glob("*-figure*.yaml") if not path.stem.endswith("-full")}
    assert files <= {figure.training for figure in FIGURES}


def test_the_list_says_what_each_is_made_of() -> None:
    lines = list_figures()
    assert len(lines) == len(FIGURES)
    assert "shi2019-figure2: gtopk at several compression ratios (trainings/shi2019-figure2.yaml)" in lines


def test_no_sweep_of_the_figures_shares_its_folder_with_a_training() -> None:
    swept, trained = ({getattr(figure, kind) for figure in FIGURES} - {""} for kind in ("sweep", "training"))
    assert swept and trained and not swept & trained
