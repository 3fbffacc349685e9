from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from testbed.cell import Cell
from testbed.errors import UserError
from testbed.specification import Plan, load_plan, select
from testbed.specification.wording import describe

BASE = "bandwidth: 5 Mbit/s\nlatency: 0.13 ms\nalgorithm: allreduce\n"
SWEEPS = Path(__file__).parents[3] / "sweeps"


@pytest.fixture
def plan_of(tmp_path: Path):
    def plan(text: str) -> Plan:
        path = tmp_path / "trial.yaml"
        path.write_text(text)
        return load_plan(path, lambda: "virtual", lambda cell: cell, advise=none)

    return plan


def none(cell: Cell) -> tuple[str, ...]:
    """In the place of what this installation's algorithms have to say."""
    del cell
    return ()


def test_defaults_and_units_are_resolved(plan_of) -> None:
    plan = plan_of(BASE)
    (cell,) = plan.cells
    assert (plan.name, cell.lab, cell.codec, cell.network.topology) == ("trial", "virtual", "fp32", "star")
    assert cell.network.bandwidth_bit_per_s == 5e6
    assert cell.network.latency_s == 130e-6
    assert cell.network.queue_bytes == 16 * 2**20


def test_lists_are_multiplied_in_the_order_of_declaration(plan_of) -> None:
    plan = plan_of("bandwidth: [5mbit, 10mbit]\nlatency: [1ms, 2ms]\nalgorithm: [allreduce, d-psgd]\n")
    rates = [cell.network.bandwidth_bit_per_s for cell in plan.cells]
    assert len(rates) == 8 and rates == sorted(rates)
    assert len({cell.id for cell in plan.cells}) == 8


def test_a_lab_given_takes_the_place_of_all_that_the_file_names(tmp_path: Path) -> None:
    path = tmp_path / "trial.yaml"
    path.write_text(BASE + "lab: [auto, host]\ninclude:\n  - {lab: host, seed: 2}\n  - {seed: 3}\n")
    cells = load_plan(path, lambda: "host", lambda cell: cell, lab="virtual").cells
    assert [(cell.lab, cell.seed) for cell in cells] == [("virtual", seed) for seed in (1, 2, 3)]


def test_packets_are_captured_where_a_file_asks_for_it(plan_of) -> None:
    plain, captured = plan_of(BASE + "capture: [false, true]\n").cells
    assert (plain.capture, captured.capture) == (False, True)
    assert plan_of(BASE).cells == [plain]
    assert select([plain, captured], ["capture=true"]) == [captured]
    assert describe(captured) == f"{describe(plain)}, captured"


def test_the_same_cell_written_twice_is_one(plan_of) -> None:
    assert len(plan_of(BASE.replace("0.13 ms", "[0.13 ms, 130us]")).cells) == 1


def test_an_algorithms_own_codec_takes_the_place_of_the_key(plan_of) -> None:
    text = BASE.replace("allreduce", "[allreduce, {name: dcd-psgd, codec: {name: qsgd, bits: 4}, gamma: 0.5}]")
    plain, quantized = plan_of(text).cells
    assert (plain.codec, plain.codec_options) == ("fp32", {})
    assert (quantized.codec, quantized.codec_options) == ("qsgd", {"bits": 4})
    assert quantized.algorithm_options == {"gamma": 0.5}


def test_only_a_tree_has_arity_and_trunk(plan_of) -> None:
    star, tree = plan_of(BASE + "topology: [star, {name: tree, arity: 2}]\ntrunk: 1 Gbit/s\n").cells
    assert (star.network.arity, star.network.trunk_bit_per_s) == (None, None)
    assert (tree.network.arity, tree.network.trunk_bit_per_s) == (2, 1e9)


def test_a_queue_given_as_a_time_depends_on_the_rate(plan_of) -> None:
    (cell,) = plan_of(BASE + "queue: 50 ms\n").cells
    assert cell.network.queue_bytes == 5e6 * 0.05 / 8


def test_exclude_removes_what_matches_every_key(plan_of) -> None:
    text = "bandwidth: [5mbit, 10mbit]\nlatency: [1ms, 2ms]\nalgorithm: [allreduce, d-psgd]\n"
    kept = plan_of(text + "exclude: [{bandwidth: 5 Mbit/s, algorithm: d-psgd, latency: [1ms, 2ms]}]\n").cells
    assert len(kept) == 6
    assert not [c for c in kept if c.algorithm == "d-psgd" and c.network.bandwidth_bit_per_s == 5e6]


def test_include_is_the_sweep_once_more_with_its_keys_replaced(plan_of) -> None:
    text = "bandwidth: [5mbit, 10mbit]\nlatency: 1ms\nalgorithm: [allreduce, d-psgd]\n"
    added = plan_of(text + "include: [{bandwidth: 1gbit, latency: [5ms, 6ms]}]\n").cells[4:]
    assert {(c.algorithm, c.network.latency_s) for c in added} == {
        (algorithm, latency) for algorithm in ("allreduce", "d-psgd") for latency in (5e-3, 6e-3)
    }
    assert {c.network.bandwidth_bit_per_s for c in added} == {1e9}


def test_what_has_no_effect_or_is_unusual_is_said(plan_of) -> None:
    plan = plan_of(BASE.replace("5 Mbit/s", "[1 Mbit/s, 5 Mbit/s]") + "exclude: [{workers: 3}]\n")
    assert [text.split()[0] for text in plan.warnings] == ["exclude[0]", "bandwidth"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("bandwith: 5mbit\nlatency: 1ms\nalgorithm: a\n", "unknown key bandwith: did you mean bandwidth?"),
        (BASE + "steps: {mesured: 20}\n", "unknown key steps.mesured: did you mean measured?"),
        (BASE + "exclude: [{latncy: 1ms}]\n", r"unknown key exclude[0].latncy: did you mean latency?"),
        (BASE + "topology: {name: tree, aritty: 2}\n", "did you mean arity?"),
        ("latency: 1ms\nalgorithm: a\n", "bandwidth is missing"),
        (BASE.replace("5 Mbit/s", "[]"), "bandwidth is an empty list"),
        (BASE.replace("5 Mbit/s", "5 Mbps"), "bandwidth '5 Mbps'"),
        (BASE.replace("5 Mbit/s", "0 Mbit/s"), "bandwidth '0 Mbit/s' is not above zero"),
        (BASE.replace("5 Mbit/s", "-5 Mbit/s"), "bandwidth '-5 Mbit/s' is not above zero"),
        (BASE.replace("0.13 ms", "-1 ms"), "latency '-1 ms' is not above zero"),
        (BASE + "jitter: -1 ms\n", "jitter '-1 ms' is negative"),
        (BASE + "jitter: 0.1 ms\n", "jitter 0.1 ms is above an eighth of the latency 0.13 ms"),
        (BASE + "loss: 100 %\n", "loss '100 %' is outside"),
        (BASE + "queue: 100 B\n", "queue '100 B' holds no frame"),
        (BASE + "queue: 1 ms\n", "queue is 625 bytes at 5 Mbit/s"),
        (BASE + "trunk: 1 Gbit/s\n", "trunk is given, but only a tree"),
        (BASE + "workers: [8, '9']\n", "workers is '9': it must be a whole number"),
        (BASE + "steps: {warmup_min: 2}\n", "steps.warmup_min is 2: it must be at least 3"),
        (BASE + "steps: {measured: 9}\n", "steps.measured is 9: it must be at least 10"),
        (BASE + "steps: {repetitions: 2}\n", "steps.repetitions is 2: it must be at least 3"),
        (BASE + "steps: {warmup_min: 20}\n", "warmup_max 12 is below warmup_min 20"),
        (BASE + "name: ../../etc\n", "name is '../../etc'"),
        (BASE + "lab: cloud\n", "lab is 'cloud'"),
        (BASE + "compute_scale: 0\n", "compute_scale is 0"),
        (BASE + "exclude: [{algorithm: allreduce}]\n", "exclude leaves no cell"),
        (BASE + f"seed: {list(range(400))}\nworkers: {list(range(400))}\n", "160,000 cells"),
        (BASE + "latency: 2 ms\n", 'line 4: duplicate key "latency"'),
        (BASE + "queue: [\n", "not YAML"),
        (BASE + "name: !!python/object:os.system x\n", "not YAML"),
        ("- 5 Mbit/s\n", "holds no mapping"),
        ("", "holds no mapping"),
    ],
)
def test_a_mistake_is_one_sentence_that_names_file_and_key(plan_of, text: str, words: str) -> None:
    with pytest.raises(UserError) as caught:
        plan_of(text)
    assert words in str(caught.value)
    assert "trial.yaml" in str(caught.value) and "\n" not in str(caught.value)


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "nothing.yaml", tmp_path):
        with pytest.raises(UserError, match=str(path)):
            load_plan(path, lambda: "virtual", lambda cell: cell)


def test_what_the_catalogue_refuses_names_the_file(tmp_path: Path) -> None:
    def refuse(cell: Cell) -> Cell:
        raise ValueError(f"algorithm is {cell.algorithm!r}; did you mean allreduce?")

    path = tmp_path / "trial.yaml"
    path.write_text(BASE.replace("allreduce", "alreduce"))
    with pytest.raises(UserError, match=r"trial\.yaml: algorithm is 'alreduce'; did you mean allreduce\?"):
        load_plan(path, lambda: "virtual", refuse)


def test_cells_that_the_catalogue_makes_equal_are_one(tmp_path: Path) -> None:
    path = tmp_path / "trial.yaml"
    path.write_text(BASE + "codec: [qsgd, {name: qsgd, bits: 8}]\n")
    plan = load_plan(path, lambda: "virtual", lambda cell: dataclasses.replace(cell, codec_options={"bits": 8}))
    assert len(plan.cells) == 1


@pytest.mark.parametrize(
    ("name", "cells"),
    [("agreement", 108), ("containers", 54), ("default", 480), ("smoke", 12), ("tang2018-figure3", 288)],
)
def test_shipped_sweeps(name: str, cells: int) -> None:
    plan = load_plan(SWEEPS / f"{name}.yaml", lambda: "virtual", lambda cell: cell, advise=none)
    assert (plan.name, len(plan.cells), list(plan.warnings)) == (name, cells, [])


def test_figure_3_has_both_latencies_at_all_rates_and_both_rates_at_all_latencies() -> None:
    plan = load_plan(SWEEPS / "tang2018-figure3.yaml", lambda: "virtual", lambda cell: cell)
    points = {(c.network.bandwidth_bit_per_s, c.network.latency_s) for c in plan.cells}
    rates, latencies = {rate for rate, _ in points}, {latency for _, latency in points}
    assert points == {(r, t) for r in rates for t in (130e-6, 20e-3)} | {
        (r, t) for r in (5e6, 1.4e9) for t in latencies
    }
    assert {c.compute_scale for c in plan.cells} == {0.5, 1.0, 2.0}


def test_only_keeps_by_name_quantity_and_alternatives(plan_of) -> None:
    cells = plan_of(
        "bandwidth: [5mbit, 10mbit, 1gbit]\nlatency: 1ms\nworkers: [4, 8]\n"
        "algorithm: [allreduce, {name: allreduce, codec: qsgd}]\n"
    ).cells
    assert len(select(cells, ["algorithm=allreduce"])) == 12
    assert len(select(cells, ["algorithm=allreduce", "codec=qsgd"])) == 6
    assert len(select(cells, ["bandwidth=5 Mbit/s", "bandwidth=1gbit", "workers=4"])) == 4
    assert len(select(cells, ["bandwidth=[5mbit, 10mbit]"])) == 8


@pytest.mark.parametrize("text", ["workers", "workers=", "wrkers=4", "workers=four", "workers=16", "bandwidth=5 Mb"])
def test_only_refuses_what_it_cannot_keep(plan_of, text: str) -> None:
    with pytest.raises(UserError, match="--only"):
        select(plan_of(BASE).cells, [text])
