"""The key `containers`: what may be written, what it makes of cells, what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from testbed.cell import Containers
from testbed.errors import UserError
from testbed.specification import Plan, load_plan, select

BASE = "bandwidth: 5 Mbit/s\nlatency: 1 ms\nalgorithm: allreduce\nlab: host\n"
LIMITED = Containers(image="mine:1", cpus=0.5, memory_bytes=2**30)
MAPPING = "{engine: docker, image: 'mine:1', cpus: 0.5, memory: 1 GiB}"


@pytest.fixture
def plan_of(tmp_path: Path):
    def plan(text: str, **more: Any) -> Plan:
        path = tmp_path / "trial.yaml"
        path.write_text(text)
        return load_plan(path, lambda: "virtual", lambda cell: cell, **more)

    return plan


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", [None]),
        ("containers: none\n", [None]),
        ("containers: docker\n", [Containers()]),
        (f"containers: {MAPPING}\n", [LIMITED]),
        (f"containers: [none, docker, {MAPPING}]\n", [None, Containers(), LIMITED]),
    ],
)
def test_each_value_is_a_cell_of_its_own(plan_of, text: str, expected: list[Containers | None]) -> None:
    cells = plan_of(BASE + text).cells
    assert [cell.containers for cell in cells] == expected
    assert len({cell.id for cell in cells}) == len(expected)


def test_what_is_asked_on_the_command_line_takes_the_place_of_all_that_the_file_names(plan_of) -> None:
    text = f"{BASE}containers: [none, {MAPPING}]\ninclude: [{{seed: 2}}, {{seed: 3, containers: docker}}]\n"
    for asked, expected in (("docker", Containers()), ("none", None)):
        cells = plan_of(text, containers=asked).cells
        assert [(cell.seed, cell.containers) for cell in cells] == [(seed, expected) for seed in (1, 2, 3)]


def test_only_and_exclude_choose_by_engine_and_by_what_is_given(plan_of) -> None:
    text = f"{BASE}containers: [none, docker, {MAPPING}]\n"
    cells = plan_of(text).cells
    assert [cell.containers for cell in select(cells, ["containers=none"])] == [None]
    assert [cell.containers for cell in select(cells, ["containers=docker"])] == [Containers(), LIMITED]
    chosen = select(cells, ["containers={engine: docker, cpus: 0.5}"])
    assert [cell.containers for cell in chosen] == [LIMITED]
    kept = plan_of(text + "exclude: [{containers: {engine: docker, image: 'mine:1'}}]\n").cells
    assert [cell.containers for cell in kept] == [None, Containers()]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("containers: podman\n", "containers.engine is 'podman': it must be 'none' or 'docker'"),
        ("containers: {engine: docker, cpu: 1}\n", "unknown key containers.cpu: did you mean cpus?"),
        ("containers: {cpus: 1}\n", "containers.engine is missing"),
        ("containers: {engine: none, cpus: 1}\n", "containers none has no cpus: leave it out"),
        ("containers: {engine: docker, cpus: 0}\n", "containers.cpus is 0: it must be at least 0.01"),
        ("containers: {engine: docker, memory: 1 KB}\n", "containers.memory '1 KB' has a unit"),
        ("containers: {engine: docker, memory: 1 MiB}\n", "does not hold a worker: give at least `256 MiB`"),
        ("containers: {engine: docker, image: ''}\n", "containers.image is ''"),
    ],
)
def test_a_mistake_names_key_value_and_remedy(plan_of, text: str, words: str) -> None:
    with pytest.raises(UserError) as caught:
        plan_of(BASE + text)
    assert words in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("lab", ["virtual", "auto"])
def test_containers_are_the_host_labs_alone(plan_of, lab: str) -> None:
    with pytest.raises(UserError, match=r"containers is docker, which lab host has, and the lab is virtual: use --lab"):
        plan_of(BASE.replace("lab: host", f"lab: {lab}") + "containers: docker\n")
