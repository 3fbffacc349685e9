"""The meeting with the registries: names and options that this installation has, and has not."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from algorithms.codecs.codec import create_codec
from testbed import profiles
from testbed.errors import UserError
from testbed.specification import catalogue, load_plan, select
from testbed.specification.wording import describe
from testbed.workers import devices
from testbed.workloads.data import DataSource

BASE = {"bandwidth": "5 Mbit/s", "latency": "1 ms", "algorithm": "allreduce"}


def load(folder: Path, **keys: str):
    path = folder / "trial.yaml"
    path.write_text("".join(f"{key}: {value}\n" for key, value in {**BASE, **keys}.items()))
    return load_plan(path, lambda: "virtual")


def test_options_are_completed_so_that_equal_cells_are_one(tmp_path: Path) -> None:
    (cell,) = load(tmp_path, codec="[qsgd, {name: qsgd, bits: 8}]").cells
    assert cell.codec_options["bits"] == 8


def test_theory_says_how_fine_codes_are(tmp_path: Path) -> None:
    """1 on shared data; on partitioned data 1/m, and 1/(m p) for pqasgd."""
    codec = "{name: qsgd, q: theory}"
    algorithms = f"[{{name: qsgd, codec: {codec}}}, {{name: pqasgd, period: 4, codec: {codec}}}]"
    plan = load(tmp_path, algorithm=algorithms, batch_size="32", partition="[shared, partitioned]")
    found = {(cell.algorithm, cell.partition): cell.codec_options["q"] for cell in plan.cells}
    assert found == {
        ("qsgd", "shared"): 1.0,
        ("qsgd", "partitioned"): 1 / 32,
        ("pqasgd", "shared"): 1.0,
        ("pqasgd", "partitioned"): 1 / 128,
    }


@pytest.mark.parametrize(("algorithm", "cost"), [("topk", "topk"), ("gtopk", "topk"), ("randomk", "randomk")])
def test_a_profile_says_how_long_selecting_takes(tmp_path: Path, algorithm: str, cost: str) -> None:
    text = (Path(profiles.__file__).parent / "k80.yaml").read_text()
    whole, lacking = tmp_path / "whole.yaml", tmp_path / "lacking.yaml"
    whole.write_text(text)
    lacking.write_text(text.replace(f"\n  {cost}:", "\n  other:"))
    assert load(tmp_path, algorithm=algorithm, device=str(whole)).cells
    with pytest.raises(UserError, match=f"no codec '{cost}'"):
        load(tmp_path, algorithm=algorithm, device=str(lacking))


def test_completed_options_are_options_again(tmp_path: Path) -> None:
    codecs = "{name: qsgd, q: 1.0}", "{name: topk, k: 5}", "topk", "{name: by-layer, rest: {name: topk, density: 0.1}}"
    for cell in load(tmp_path, codec=f"[{', '.join(codecs)}]").cells:
        assert create_codec(cell.codec, cell.codec_options).options.model_dump() == cell.codec_options


def test_a_workload_has_its_options_and_a_partition(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue, "_check_partition", lambda *_: None)  # which would read the data
    workloads = "[resnet20, {name: resnet20, statistics: recalibrated}, {name: resnet20, statistics: local}]"
    plan = load(tmp_path, workload=workloads, partition="[shared, dirichlet]")
    assert [dict(cell.workload_options) for cell in plan.cells[::2]] == [{}, {"statistics": "local"}]
    assert [(cell.partition, cell.alpha) for cell in plan.cells[:2]] == [("shared", None), ("dirichlet", 0.5)]
    local = "workload={name: resnet20, statistics: local}"
    assert select(plan.cells, [local, "partition=dirichlet"]) == [plan.cells[3]]
    assert describe(plan.cells[3]).endswith("statistics local, dirichlet 0.5")


def test_a_partition_that_the_data_cannot_have_is_refused_before_anything_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = SimpleNamespace(samples=9, labels=None, consecutive=True, name="words")
    source = DataSource(name="words", digest="", load=lambda: text, load_held_out=lambda: text)
    monkeypatch.setattr("testbed.workloads.lstm_ptb.data.find", lambda *_: source)
    with pytest.raises(UserError, match="those of words are consecutive: choose partitioned or shared"):
        load(tmp_path, workload="lstm-ptb", partition="sorted")


def test_a_profile_must_know_what_codecs_are_charged_as(tmp_path: Path) -> None:
    shipped = Path(profiles.__file__).with_name("a100.yaml").read_text()
    (tmp_path / "mine.yaml").write_text(shipped.replace("  qsgd-elias:", "  qsgd-other:"))
    load(tmp_path, device=str(tmp_path / "mine.yaml"), codec="qsgd")
    for codec in ("{name: qsgd, coding: elias}", "{name: by-layer, codec: {name: qsgd, coding: elias}}"):
        with pytest.raises(UserError, match="device a100 has no codec 'qsgd-elias'"):
            load(tmp_path, device=str(tmp_path / "mine.yaml"), codec=codec)


def test_a_profile_is_named_or_a_users_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shipped = Path(profiles.__file__).with_name("a100.yaml").read_text()
    (tmp_path / "mine.yaml").write_text(shipped)
    named, own = load(tmp_path, device="[a100, mine.yaml]").cells
    assert (named.device, own.device) == ("a100", str(tmp_path / "mine.yaml"))


def test_a_device_without_a_profile_is_refused_before_anything_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRADWIRE_CACHE", str(tmp_path))
    with pytest.raises(UserError, match=r"device cpu has not been measured .*: run `gradwire profile --device cpu`"):
        load(tmp_path, device="cpu")
    with pytest.raises(UserError, match=r"absent.yaml cannot be read"):
        load(tmp_path, device="./absent.yaml")


def test_without_gradients_codes_have_a_fixed_size(tmp_path: Path) -> None:
    load(tmp_path, gradients="none", codec="qsgd")
    by_layer = "{name: by-layer, codec: {name: qsgd, coding: elias}}"
    for codec in ("{name: qsgd, coding: elias}", by_layer):
        with pytest.raises(UserError, match=r"gradients is none, but the size of what codec .* makes depends on them"):
            load(tmp_path, gradients="none", codec=codec)


@pytest.fixture
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "gpus", tuple)


def test_in_the_host_lab_this_machines_own_device_needs_no_profile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRADWIRE_CACHE", str(tmp_path))
    (cell,) = load(tmp_path, device="cpu", lab="host", gradients="live").cells
    assert cell.computes_here


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({}, "gradients is recorded, but device cuda in lab host computes them for real: set gradients: live"),
        ({"gradients": "none"}, "gradients is none, but device cuda in lab host computes them for real"),
        ({"gradients": "live", "compute_scale": "2"}, "compute_scale is 2, but device cuda in lab host takes what"),
        (
            {"gradients": "live", "straggler": "{worker: 1, compute: 2}"},
            "straggler: compute is 2, but device cuda in lab host takes what",
        ),
        ({"gradients": "live"}, "device cuda in lab host computes on this machine's GPU, but torch"),
    ],
)
def test_real_compute_that_cannot_be_is_refused_before_anything_starts(
    tmp_path: Path, no_gpu: None, keys: dict[str, str], words: str
) -> None:
    with pytest.raises(UserError, match=r"trial\.yaml") as caught:
        load(tmp_path, device="cuda", lab="host", **keys)
    assert words in str(caught.value)


def test_where_there_is_a_gpu_it_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "gpus", lambda: ("some GPU",))
    (cell,) = load(tmp_path, device="cuda", lab="host", gradients="live").cells
    assert cell.computes_here


def test_a_profile_must_know_the_workload_and_the_codec(tmp_path: Path) -> None:
    text = Path(profiles.__file__).with_name("a100.yaml").read_text()
    own = tmp_path / "own.yaml"
    own.write_text(text.replace("  resnet20:", "  resnet21:"))
    with pytest.raises(UserError, match=r"has no workload 'resnet20', only .*resnet21"):
        load(tmp_path, device=str(own))


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"topology": "rng"}, "topology 'rng' is unknown"),
        ({"topology": "ring", "workers": "2"}, "topology ring needs at least 3 workers, got 2"),
        ({"workers": "1"}, "at least 2 workers, got 1"),
        ({"workers": "33"}, "workers 33"),
        ({"topology": "{name: tree, arity: 1}"}, "arity 1"),
        ({"topology": "{name: star, arity: 2}"}, "arity 2"),
        ({"algorithm": "alreduce"}, "algorithm is 'alreduce'"),
        ({"algorithm": "{name: allreduce, momentun: 0.9}"}, "did you mean momentum?"),
        ({"codec": "qsgdd"}, "codec is 'qsgdd'"),
        ({"codec": "{name: qsgd, bits: 0}"}, "bits"),
        ({"algorithm": "naive", "codec": "{name: qsgd, q: theory}"}, "q is theory, but algorithm naive has no theory"),
        ({"graph": "rign"}, "graph is 'rign'"),
        ({"workload": "resnet21"}, "workload is 'resnet21'"),
        ({"workload": "{name: resnet20, statistic: local}"}, "workload resnet20: option statistic is 'local'"),
        (
            {"workload": "{name: lstm-ptb, hidden: 100}"},
            "option hidden is 100, but device k80 says how long the default",
        ),
        ({"partition": "sort"}, "partition is 'sort', must be one of"),
        ({"partition": "{name: shared, alpha: 1}"}, "partition: alpha is 1, but shared has none"),
        ({"partition": "{name: dirichlet, alpah: 1}"}, "unknown key partition.alpah: did you mean alpha?"),
        ({"device": "k81"}, "device is 'k81'"),
    ],
)
def test_the_unknown_and_the_impossible_are_refused(tmp_path: Path, keys: dict[str, str], words: str) -> None:
    with pytest.raises(UserError, match=r"trial\.yaml") as caught:
        load(tmp_path, **keys)
    assert words in str(caught.value)
