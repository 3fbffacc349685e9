"""The host lab with containers, on a real engine: what runs in them, their limits, their faults, what is left."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from docker import DockerClient
from docker.models.containers import Container

from containers import labels, own_engine
from containers.engine import ADDRESS_VARIABLE
from testbed import clean
from testbed.cell import Cell, Containers, Network, Steps
from testbed.errors import UserError
from testbed.labs.host import requirements
from testbed.labs.host.lab import HostLab
from testbed.labs.lab import CellFailed, CellFinished, CellProgress, Event
from testbed.results import documents

LACK = requirements.missing(requirements.lacks())

pytestmark = [
    pytest.mark.docker,
    pytest.mark.host,
    pytest.mark.timeout(280),
    pytest.mark.skipif(LACK is not None, reason=str(LACK)),
]

PROGRAM = Path(__file__).parents[1] / "lab_program.py"
CHECKOUT = Path(__file__).parents[4]
LONG = Steps(measured=5000)
MEMORY_BYTES = 512 * 2**20


def cell(workers: int = 2, latency_s: float = 10e-3, **more: Any) -> Cell:
    values: dict[str, Any] = {
        "lab": "host",
        "network": Network(
            topology="star", workers=workers, bandwidth_bit_per_s=20e6, latency_s=latency_s, queue_bytes=2**20
        ),
        "algorithm": "allreduce",
        "codec": "fp32",
        "graph": "ring",
        "workload": "vector-20000",
        "batch_size": 1,
        "device": "instant",
        "gradients": "none",
        "steps": Steps(repetitions=1),
        "containers": Containers(),
    }
    return Cell(**values | more)


def run(*cells: Cell, once: Callable[[], None] = lambda: None, stop: threading.Event | None = None) -> list[Event]:
    """The events of cells in their lab; `once` is called while the first of them takes its steps."""
    events: list[Event] = []

    def report(event: Event) -> None:
        if isinstance(event, CellProgress) and not any(isinstance(earlier, CellProgress) for earlier in events):
            once()
        events.append(event)

    lab = HostLab()
    lab.prepare(cells, lambda text: None)
    lab.run(cells, report, stop or threading.Event(), jobs=1)
    return events


def ours(engine: DockerClient) -> list[Container]:
    return engine.containers.list(  # type: ignore[no-any-return]
        filters={"label": labels.NETWORK}, ignore_removed=True
    )


def first_of(container: Container, *paths: str) -> str:
    """What a container's file holds: the first of the paths that it has (control groups of version 1, or 2)."""
    status, said = container.exec_run(["sh", "-c", f"cat {' '.join(paths)} 2>/dev/null | head -n 1"])
    assert status == 0
    return str(said.decode().strip())


def test_a_cell_is_measured_in_containers_within_their_limits(engine: DockerClient, as_before: Path) -> None:
    measured = cell(containers=Containers(cpus=0.5, memory_bytes=MEMORY_BYTES))
    found: dict[str, Any] = {}

    def look() -> None:
        there = ours(engine)
        found["names"] = [container.name for container in there]
        found["runs"] = {container.labels[labels.RUN] for container in there}
        found["users"] = {
            process[top["Titles"].index("UID")] for c in there for top in [c.top()] for process in top["Processes"]
        }
        found["networks"] = {container.attrs["HostConfig"]["NetworkMode"] for container in there}
        cgroup = "/sys/fs/cgroup"
        found["memory"] = first_of(there[0], f"{cgroup}/memory.max", f"{cgroup}/memory/memory.limit_in_bytes")
        found["cpu"] = first_of(there[0], f"{cgroup}/cpu.max", f"{cgroup}/cpu/cpu.cfs_quota_us").split()[0]
        found["root"] = first_of(there[0], "/etc/hostname")

    events = run(measured, once=look)
    (event,) = [event for event in events if isinstance(event, CellFinished | CellFailed)]
    assert isinstance(event, CellFinished), event
    document = documents.finished(measured, event.measurement)
    counted = document["bytes"]
    assert counted["declared_per_step"] == counted["handed_per_step"] > 0
    assert counted["socket_per_step"] == pytest.approx(
        counted["handed_per_step"] + counted["mpi_header_per_step"], rel=1e-3, abs=0
    )
    assert abs(counted["interface"]["unexplained"]) < 1e-3 * counted["interface"]["total"]
    assert min(document["repetitions"][0]["step_s"]) > 10e-3  # two one-way delays
    assert document["delays"]["packets"] > 0
    (run_id,) = found["runs"]
    assert len(found["names"]) == 2
    assert all(name.startswith(f"gradwire-{run_id}-") for name in found["names"])
    assert not found["users"] & {"root", "0"}
    assert found["networks"] == {"none"}
    assert int(found["memory"]) == MEMORY_BYTES
    assert int(found["cpu"]) == 50_000  # microseconds of a period of 100 ms
    assert found["root"] in ("gw0-w0", "gw0-w1")


def test_gradients_are_recorded_outside_and_replayed_inside(engine: DockerClient, as_before: Path) -> None:
    try:
        events = run(cell(workload="resnet20", gradients="recorded", batch_size=4, device="k80"))
    except UserError as error:
        pytest.skip(str(error))  # no data set
    assert [type(event) for event in events if isinstance(event, CellFinished | CellFailed)] == [CellFinished], events


def test_a_killed_container_fails_its_cell_and_the_next_one_is_measured(engine: DockerClient, as_before: Path) -> None:
    lost, next_one = cell(steps=LONG), cell()
    events = run(lost, next_one, once=lambda: ours(engine)[0].kill())
    (failure,) = [event for event in events if isinstance(event, CellFailed)]
    assert failure.cell_id == lost.id
    assert "the container of worker" in failure.reason
    assert [event.cell_id for event in events if isinstance(event, CellFinished)] == [next_one.id]


def test_an_engine_that_ends_fails_the_cells_and_nothing_hangs(
    as_before: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if shortage := own_engine.lack():
        pytest.skip(shortage)
    mine = own_engine.OwnEngine()
    monkeypatch.setenv(ADDRESS_VARIABLE, mine.address)
    cells = [cell(steps=LONG), cell(latency_s=20e-3)]
    try:
        events = run(*cells, once=mine.close)
    finally:
        mine.close()
    reasons = {event.cell_id: event.reason for event in events if isinstance(event, CellFailed)}
    assert set(reasons) == {one.id for one in cells}
    assert "ended" in reasons[cells[0].id]
    assert "no Docker engine answers" in reasons[cells[1].id]


def test_a_killed_testbed_leaves_no_container(engine: DockerClient, as_before: Path, tmp_path: Path) -> None:
    file = tmp_path / "cells.json"
    file.write_text(json.dumps([cell(steps=LONG).to_json()]))
    with subprocess.Popen(
        [sys.executable, PROGRAM, file], cwd=CHECKOUT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        assert any(line.startswith(CellProgress.__name__) for line in process.stdout)
        assert len(ours(engine)) == 2
        process.kill()
    deadline_s = time.monotonic() + 15
    while engine.api.containers(all=True, filters={"label": labels.NETWORK}):
        assert time.monotonic() < deadline_s, "the engine still has containers of a testbed that was killed"
        time.sleep(0.1)


def test_a_stopped_run_leaves_no_container(engine: DockerClient, as_before: Path) -> None:
    stop = threading.Event()
    run(cell(steps=LONG), once=stop.set, stop=stop)  # `as_before` looks at what else is left
    assert engine.api.containers(all=True, filters={"label": labels.NETWORK}) == []


def test_what_an_engine_left_is_removed_and_nothing_else(engine: DockerClient, as_before: Path) -> None:
    from containers import image

    living, dead = clean.claim(), clean.claim("dead")
    (dead / "owner.json").write_text("{}")
    name = image.ensure(engine, lambda text: None)
    made = {
        kind: engine.containers.create(name, ["/none"], name=f"gradwire-{kind}-{os.getpid()}", labels=of_kind)
        for kind, of_kind in {
            "dead": {labels.SPOOL: str(dead)},
            "living": {labels.SPOOL: str(living)},
            "somebody's": {},
        }.items()
        for kind in [kind.replace("'", "")]
    }
    try:
        assert clean.reap() == [f"container {made['dead'].name}", f"spool folder {dead}"]
        left = {container.name for container in engine.containers.list(all=True, ignore_removed=True)}
        assert made["dead"].name not in left
        assert {made["living"].name, made["somebodys"].name} <= left
    finally:
        for container in engine.containers.list(all=True, ignore_removed=True):
            if container.name in {one.name for one in made.values()}:
                container.remove(force=True)
        clean.remove(living)


def test_an_image_without_gradwire_fails_its_cells_in_the_programs_words(engine: DockerClient, as_before: Path) -> None:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        closed = tarfile.TarInfo("root")  # as most images have it: what is bound must be reachable all the same
        closed.type, closed.mode = tarfile.DIRTYPE, 0o700
        archive.addfile(closed)
    engine.api.import_image_from_data(content.getvalue(), "gradwire-test", "empty", changes=["USER 10001"])
    try:
        events = run(cell(containers=Containers(image="gradwire-test:empty")))
    finally:
        engine.images.remove("gradwire-test:empty", force=True)
    (failure,) = [event for event in events if isinstance(event, CellFailed)]
    assert "did not start in its container: container_init: python3: No such file or directory" in failure.reason


def prepare(**more: Any) -> None:
    HostLab().prepare([cell(**more)], lambda text: None)


def test_no_engine_is_said_before_anything_starts(as_before: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ADDRESS_VARIABLE, f"unix://{as_before}/nobody.sock")
    with pytest.raises(UserError, match=r"no Docker engine answers at unix://.*nobody\.sock.*start one"):
        prepare()


def test_a_missing_image_is_said_before_anything_starts(engine: DockerClient, as_before: Path) -> None:
    with pytest.raises(UserError, match=r"containers\.image is 'no-such:1', which this Docker engine does not have"):
        prepare(containers=Containers(image="no-such:1"))


def test_limits_above_the_machines_are_refused(engine: DockerClient, as_before: Path) -> None:
    with pytest.raises(UserError, match=r"containers\.cpus is 4096"):
        prepare(containers=Containers(cpus=4096))
    with pytest.raises(UserError, match=r"containers\.memory is .* MB: this machine has"):
        prepare(containers=Containers(memory_bytes=2**50))


def test_gpus_need_the_nvidia_runtime(engine: DockerClient, as_before: Path) -> None:
    if "nvidia" in engine.info()["Runtimes"]:
        pytest.skip("this Docker engine has the NVIDIA runtime")
    with pytest.raises(UserError, match=r"needs the NVIDIA container runtime, and this Docker engine has only .*runc"):
        prepare(device="cuda")


def test_provenance_names_engine_image_and_limits(engine: DockerClient, as_before: Path) -> None:
    lab = HostLab()
    lab.prepare([cell(containers=Containers(cpus=0.5))], lambda text: None)
    found = lab.provenance()["containers"]
    assert found["engine"] == f"Docker {engine.version()['Version']}"
    assert found["cgroup_version"] in (1, 2)
    (kind,) = found["kinds"]
    assert (kind["cpus"], kind["memory_bytes"]) == (0.5, None)
    assert kind["image_id"] == engine.images.get(kind["image"]).id
