"""A cell's identity and its JSON form."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from testbed.cell import Cell, Change, Containers, Hosting, Network, OwnLinks, SlowWorker

# As cells were written before they could have schedules, stragglers and containers.
OLD: dict[str, Any] = {
    "lab": "virtual",
    "network": {
        "topology": "star", "workers": 4, "arity": None, "bandwidth_bit_per_s": 5e6, "trunk_bit_per_s": None,
        "latency_s": 0.02, "jitter_s": 0.0, "loss": 0.0, "queue_bytes": 16777216, "slow_start_after_idle": False,
    },
    "algorithm": "allreduce", "algorithm_options": {}, "codec": "fp32", "codec_options": {}, "graph": "ring",
    "workload": "resnet20", "batch_size": 128, "device": "k80", "compute_scale": 1.0, "gradients": "recorded",
    "steps": {"warmup_min": 3, "warmup_max": 12, "measured": 10, "repetitions": 3}, "full_epoch": False, "seed": 1,
}  # fmt: skip
OLD_ID = "1bf0f8e308ff323c"

values = st.none() | st.floats(0.001, 1e9)
ranks = st.integers(0, 31)
own_links = st.builds(
    OwnLinks, worker=ranks, bandwidth_bit_per_s=values, latency_s=values, jitter_s=values, loss=values
)
changes = st.builds(
    Change,
    at_s=st.floats(0, 100),
    worker=st.none() | ranks,
    bandwidth_bit_per_s=values,
    latency_s=values,
    jitter_s=values,
    loss=values,
    down_s=values,
)
containers = st.none() | st.builds(
    Containers,
    image=st.none() | st.text(min_size=1),
    cpus=st.none() | st.floats(0.01, 64),
    memory_bytes=st.none() | st.integers(1, 2**40),
)


def test_a_cell_of_an_older_run_is_read_and_keeps_its_id() -> None:
    cell = Cell.from_json(OLD)
    assert cell.id == OLD_ID
    assert (cell.schedule, cell.slow_worker, cell.network.own_links) == ((), None, ())
    assert (cell.containers, cell.capture) == (None, False)


@given(
    own=st.lists(own_links, max_size=2),
    schedule=st.lists(changes, max_size=4),
    slow=st.none() | st.builds(SlowWorker, worker=ranks, compute=st.floats(1.1, 10)),
    hosts=containers,
)
def test_a_cell_comes_back_from_json_as_it_was(
    own: list[OwnLinks], schedule: list[Change], slow: SlowWorker | None, hosts: Containers | None
) -> None:
    network = Network(
        topology="star", workers=32, bandwidth_bit_per_s=1e9, latency_s=1e-3, queue_bytes=10**6, own_links=tuple(own)
    )
    plain = {"network": network, "schedule": tuple(schedule), "slow_worker": slow, "containers": hosts}
    same = ("lab", "algorithm", "codec", "graph", "workload", "batch_size", "device")
    cell = Cell(**{key: OLD[key] for key in same} | plain)
    assert Cell.from_json(cell.to_json()) == cell
    through_text = Cell.from_json(json.loads(json.dumps(cell.to_json())))
    assert through_text == cell
    assert through_text.id == cell.id
    assert hash(through_text.network) == hash(network)


def test_what_is_slow_and_what_changes_is_part_of_the_identity() -> None:
    plain = Cell.from_json(OLD)
    others = [
        Cell.from_json(OLD | {"slow_worker": {"worker": 1, "compute": 2.0}}),
        Cell.from_json(OLD | {"schedule": [{"at_s": 1.0, "loss": 0.01}]}),
        Cell.from_json(OLD | {"schedule": [{"at_s": 1.0, "loss": 0.02}]}),
        Cell.from_json(OLD | {"capture": True}),
        Cell.from_json(OLD | {"workload_options": {"samples": 500}}),
        Cell.from_json(OLD | {"partition": "sorted"}),
        Cell.from_json(OLD | {"partition": "dirichlet", "alpha": 0.5}),
        Cell.from_json(OLD | {"network": OLD["network"] | {"own_links": [{"worker": 1, "latency_s": 0.05}]}}),
    ]
    assert len({cell.id for cell in (plain, *others)}) == 9


def test_containers_and_their_limits_are_part_of_the_identity() -> None:
    choices = (None, Containers(), Containers(cpus=1.0), Containers(image="a"))
    assert len({dataclasses.replace(Cell.from_json(OLD), containers=choice).id for choice in choices}) == 4


def test_a_gpu_is_asked_for_in_containers_only() -> None:
    on_gpu = dataclasses.replace(Cell.from_json(OLD), device="cuda")
    assert on_gpu.hosting == Hosting()
    inside = dataclasses.replace(on_gpu, containers=Containers())
    assert inside.hosting == Hosting(containers=Containers(), gpus=True)
    assert not dataclasses.replace(inside, device="k80").hosting.gpus
    assert dataclasses.replace(inside, device="k80").hosting.name != inside.hosting.name


def test_containers_are_said_with_what_is_chosen() -> None:
    assert Containers().words == "docker"
    assert Containers(image="a:1", cpus=0.5, memory_bytes=2**29).words == "docker, a:1, 0.5 cpus, 512 MiB"
