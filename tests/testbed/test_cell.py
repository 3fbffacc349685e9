from __future__ import annotations

import dataclasses
import json

from hypothesis import given
from hypothesis import strategies as st

from testbed.cell import Cell, Containers, Hosting, Network

CONTAINERS = st.none() | st.builds(
    Containers,
    image=st.none() | st.text(min_size=1),
    cpus=st.none() | st.floats(0.01, 64),
    memory_bytes=st.none() | st.integers(1, 2**40),
)
PLAIN = Cell(
    lab="host",
    network=Network(topology="star", workers=2, bandwidth_bit_per_s=1e6, latency_s=1e-3, queue_bytes=10_000),
    algorithm="allreduce",
    codec="fp32",
    graph="ring",
    workload="vector-10",
    batch_size=1,
    device="k80",
    gradients="none",
)


@given(CONTAINERS)
def test_a_cell_comes_back_from_json(containers: Containers | None) -> None:
    cell = dataclasses.replace(PLAIN, containers=containers)
    assert Cell.from_json(json.loads(json.dumps(cell.to_json()))) == cell


def test_a_document_from_before_there_were_containers_is_the_same_cell() -> None:
    old = PLAIN.to_json()
    del old["containers"]
    assert Cell.from_json(old) == PLAIN
    assert PLAIN.id == "186d328ecc926f7f"  # as it was then


def test_containers_and_their_limits_are_part_of_the_identity() -> None:
    choices = (None, Containers(), Containers(cpus=1.0), Containers(image="a"))
    assert len({dataclasses.replace(PLAIN, containers=choice).id for choice in choices}) == 4


def test_a_gpu_is_asked_for_in_containers_only() -> None:
    assert dataclasses.replace(PLAIN, device="cuda").hosting == Hosting()
    inside = dataclasses.replace(PLAIN, device="cuda", containers=Containers())
    assert inside.hosting == Hosting(containers=Containers(), gpus=True)
    assert not dataclasses.replace(inside, device="k80").hosting.gpus
    assert dataclasses.replace(inside, device="k80").hosting.name != inside.hosting.name


def test_containers_are_said_with_what_is_chosen() -> None:
    assert Containers().words == "docker"
    assert Containers(image="a:1", cpus=0.5, memory_bytes=2**29).words == "docker, a:1, 0.5 cpus, 512 MiB"
