from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from testbed.cell import Cell, Containers, Network
from testbed.labs.spool import Batch, EventReader, EventWriter, Spool, Task, batches_of


def cell(topology: str = "star", workers: int = 2, bandwidth_bit_per_s: float = 1e6, **more: Any) -> Cell:
    network = Network(
        topology=topology, workers=workers, bandwidth_bit_per_s=bandwidth_bit_per_s, latency_s=1e-3, queue_bytes=100_000
    )
    values: dict[str, Any] = {
        "lab": "virtual",
        "network": network,
        "algorithm": "allreduce",
        "codec": "fp32",
        "graph": "ring",
        "workload": "vector-10",
        "batch_size": 1,
        "device": "instant",
        "gradients": "none",
    }
    return Cell(**values | more)


def batch(**network: Any) -> Batch:
    of_network = cell(**network)
    return Batch(of_network.network, [Task(of_network, None)])


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    spool = Spool(tmp_path / "spool")
    spool.create()
    return spool


def test_a_batch_is_claimed_once_and_comes_back_whole(spool: Spool) -> None:
    offered = Batch(cell().network, [Task(cell(), "/recordings/a"), Task(cell(algorithm="d-psgd"), None)])
    spool.put(0, offered)
    assert spool.left() == 1
    claimed = spool.claim(0, None)
    assert claimed is not None
    name, found = claimed
    assert (found.network, list(found.tasks)) == (offered.network, offered.tasks)
    assert spool.left() == 0
    assert spool.claim(1, None) is None
    assert list(spool.claimed_by(0, name).tasks) == offered.tasks  # as the testbed sees it


def test_claims_of_two_lanes_at_once_share_the_batches_out(spool: Spool) -> None:
    for number in range(200):
        spool.put(number, batch())
    taken: dict[int, list[str]] = {0: [], 1: []}
    together = threading.Barrier(2)

    def claim_all(lane: int) -> None:
        together.wait()
        while claimed := spool.claim(lane, None):
            taken[lane].append(claimed[0])

    threads = [threading.Thread(target=claim_all, args=(lane,)) for lane in taken]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(taken[0] + taken[1]) == 200
    assert not set(taken[0]) & set(taken[1])


def test_a_batch_that_another_lane_renames_first_is_passed_over(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    spool.put(0, batch())
    spool.put(1, batch())
    rename, rivals = Path.rename, [Spool(spool.folder)]

    def faster(path: Path, target: Path) -> Path:
        if rivals:
            assert rivals.pop().claim(1, None) is not None
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", faster)
    claimed = spool.claim(0, None)
    assert claimed is not None and claimed[0].endswith(".00001.json")


def test_a_lane_stays_with_its_topology_while_it_can(spool: Spool) -> None:
    for number, (topology, workers) in enumerate([("star", 2), ("ring", 3), ("star", 2), ("ring", 3), ("star", 3)]):
        spool.put(number, batch(topology=topology, workers=workers))
    group, order = "ring-3", []
    while claimed := spool.claim(0, group):
        group = claimed[1].group
        order.append(group)
    assert order == ["ring-3", "ring-3", "star-2", "star-2", "star-3"]


def test_two_lanes_begin_with_different_topologies(spool: Spool) -> None:
    for number, topology in enumerate(["star", "star", "star", "ring"]):
        spool.put(number, batch(topology=topology, workers=3))
    begun = [claimed[1].group for lane in range(2) if (claimed := spool.claim(lane, None))]
    assert begun == ["star-3", "ring-3"]


def test_a_requeued_batch_is_claimed_after_the_others(spool: Spool) -> None:
    spool.put(0, batch(bandwidth_bit_per_s=1e6))
    spool.put(1, batch(bandwidth_bit_per_s=2e6))
    lost = spool.claim(0, None)
    assert lost is not None
    spool.put(2, lost[1])
    order = [claimed[1].network.bandwidth_bit_per_s for _ in range(2) if (claimed := spool.claim(0, "star-2"))]
    assert order == [2e6, 1e6]


def test_a_batch_is_one_network_in_the_order_of_appearance() -> None:
    cells = [cell(), cell(bandwidth_bit_per_s=2e6), cell(algorithm="d-psgd")]
    batches = batches_of([Task(one, None) for one in cells])
    assert [[task.cell for task in of_network.tasks] for of_network in batches] == [[cells[0], cells[2]], [cells[1]]]
    assert {of_network.group for of_network in batches} == {"star-2"}


def test_batches_of_trees_with_other_arities_are_other_groups() -> None:
    groups = {
        Batch(network, [Task(cell(network=network), None)]).group
        for arity in (2, 4)
        for network in [
            Network(
                topology="tree", workers=4, arity=arity, bandwidth_bit_per_s=1e6, latency_s=1e-3, queue_bytes=10_000
            )
        ]
    }
    assert len(groups) == 2


def test_cells_in_other_containers_are_other_batches_of_other_groups() -> None:
    hosts: list[dict[str, Any]] = [
        {},
        {"containers": Containers()},
        {"containers": Containers(cpus=0.5)},
        {"containers": Containers(), "device": "cuda"},
    ]
    batches = batches_of([Task(cell(**more, seed=seed), None) for seed in (1, 2) for more in hosts])
    assert [len(batch.tasks) for batch in batches] == [2, 2, 2, 2]
    assert len({batch.group for batch in batches}) == 4
    assert batches[0].group == "star-2"
    assert not any("." in batch.group for batch in batches)  # it ends the group in a batch's file name


def write(path: Path, *events: tuple[str, dict[str, Any]]) -> None:
    writer = EventWriter(path)
    for kind, values in events:
        writer.write(kind, **values)
    writer.close()


def test_events_are_read_once_in_order(tmp_path: Path) -> None:
    path = tmp_path / "events"
    reader = EventReader(path)
    assert list(reader.new()) == []  # no file yet
    write(path, ("started", {"cell_id": "a"}), ("step", {"step": 3}))
    assert list(reader.new()) == [{"event": "started", "cell_id": "a"}, {"event": "step", "step": 3}]
    assert list(reader.new()) == []
    write(path, ("end", {}))  # of the guest that replaces the first
    assert list(reader.new()) == [{"event": "end"}]


def test_a_line_under_way_is_read_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "events"
    reader = EventReader(path)
    whole = '{"event": "note", "text": "Käse"}\n'.encode()
    path.write_bytes(b'{"event": "ready"}\n' + whole[:28])  # in the middle of a character
    assert list(reader.new()) == [{"event": "ready"}]
    assert list(reader.new()) == []
    with path.open("ab") as file:
        file.write(whole[28:])
    assert list(reader.new()) == [{"event": "note", "text": "Käse"}]
