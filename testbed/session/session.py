"""A session: hosts, links and workers brought up once per topology and size, re-shaped per network.

Only the connections between workers are made anew for every cell (testbed/workers/connections.py says why), and the
workers themselves after a failure, or when they are worn out.
"""

from __future__ import annotations

import functools
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from shaping.plan import plan as shaping_plan
from shaping.probe import probe as probe_network
from testbed import profiles
from testbed.cell import Cell, Network
from testbed.errors import LabError, UserError
from testbed.profiles import compute_draws
from testbed.session.capture import Capture, CaptureFailure, taps
from testbed.session.emulation import Emulation, LinkShaper
from testbed.session.measure import Measurement, merge_document
from testbed.session.worker_group import WorkerFailure, WorkerGroup
from topologies import addressing, registry, sysctls
from topologies import network as networks

_profile = functools.cache(profiles.load)  # reading and checking one takes longer than a step

Emit = Callable[..., None]
Task = tuple[Cell, str | None]  # a cell, and the folder of its recorded gradients

QUIET_ROUND_TRIPS = 4
QUIET_AT_LEAST_S = 0.5  # beyond delayed acknowledgements (40 ms) and the shortest retransmission time-out (200 ms)
DRAIN_WITHIN_S = 60.0


class Session:
    """Measures cells on emulated networks; `emit` is told what happens, as keyword values under an event's name."""

    def __init__(
        self,
        *,
        folder: Path,
        captures: Path,
        native: Path,
        environment: Mapping[str, str],
        emit: Emit,
        emulation: Emulation,
    ) -> None:
        """`folder` is for sockets and logs of this session's own, `captures` for those of cells, by their ids."""
        self.group: str | None = None
        self._folder = folder
        self._captures = captures
        self._native = native
        self._environment = environment
        self._emit = emit
        self._emulation = emulation
        self._network: networks.RunningNetwork | None = None
        self._shaper: LinkShaper | None = None
        self._workers: WorkerGroup | None = None
        self._cell_id = self._phase = ""  # of the cell under way
        self._socket = folder / "fork-server"
        self._fork_server = self._start_fork_server()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _start_fork_server(self) -> subprocess.Popen[bytes]:
        server = subprocess.Popen(
            [sys.executable, "-m", "testbed.session.fork_server", str(self._socket)],
            env={**os.environ, **self._environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
        )
        assert server.stdout is not None
        if server.stdout.readline() != b"ready\n":
            raise LabError("the fork server did not start; its error is on the console above")
        return server

    def close(self) -> None:
        """Take everything down."""
        self._take_down()
        self._fork_server.kill()
        self._fork_server.wait()

    def run(self, group: str, network: Network, tasks: Sequence[Task]) -> None:
        """Measure cells on one network. Every cell ends in a `finished` or a `failed` event."""
        left = list(tasks)
        try:
            self._bring_up(group, network)
            probe = self._shape(network)
            while left:
                self._run_cell(*left[0], probe)
                left.pop(0)
        except (LabError, UserError) as error:
            for cell, _ in left:
                self._emit("failed", cell_id=cell.id, reason=str(error))

    def _bring_up(self, group: str, network: Network) -> None:
        if group == self.group:
            return
        self._take_down()
        self._emit("note", text=f"bringing up {group}")
        topology = registry.make(network.topology, workers=network.workers, arity=network.arity)
        self._network = networks.start(topology)
        wiring = self._network.wiring
        nodes = (*wiring.workers, *wiring.switches)
        self._shaper = self._emulation.shaper(wiring, {node: self._network.pid(node) for node in nodes})
        self.group = group
        first_worker = wiring.workers[0]
        self._emit("facts", kernel=platform.release(), sysctls=dict(self._network.sysctls[first_worker]))

    def _take_down(self) -> None:
        self._dismiss_workers()
        if self._shaper is not None:
            self._shaper.close()
        if self._network is not None:
            self._network.stop()
        self._shaper = self._network = self.group = None

    def _shape(self, network: Network) -> dict[str, Any]:
        """Shape the links and probe them; the probe, with a link as the kernel has it."""
        assert self._network is not None and self._shaper is not None
        wiring = self._network.wiring
        plan = shaping_plan(network, wiring, self._emulation.super_packet_s)
        self._shaper.drain(DRAIN_WITHIN_S)
        self._shaper.apply(plan)
        chosen = {sysctls.SLOW_START_AFTER_IDLE: str(int(network.slow_start_after_idle))}
        tcp = [sysctls.write(self._network.pid(node), node, chosen) for node in wiring.workers]
        read_back = self._shaper.read_back(plan)
        self._emit(
            "note",
            text=f"probing {network.bandwidth_bit_per_s / 1e6:g} Mbit/s, {network.latency_s * 1e3:g} ms",
        )
        probe = probe_network(wiring, self._network.worker_pids, plan, self._emulation.tolerance)
        self._shaper.drain(DRAIN_WITHIN_S)
        probe["saturated"] = probe["saturated"] and self._emulation.real_time
        return {**probe, "link": read_back[0], "tcp": tcp[0]}

    def _run_cell(self, cell: Cell, recording: str | None, probe: Mapping[str, Any]) -> None:
        assert self._shaper is not None
        self._cell_id, self._phase = cell.id, "starting"
        self._emit("started", cell_id=cell.id)
        try:
            if self._workers is None or self._workers.worn_out:
                self._dismiss_workers()
                self._workers = self._launch_workers()
                self._emit("facts", mpi=self._workers.mpi_library)
            self._shaper.drain(DRAIN_WITHIN_S)  # of the connections that were just closed
            document, trace = self._measure(self._workers, cell, recording, probe)
        except WorkerFailure as error:
            self._dismiss_workers()
            self._emit("failed", cell_id=cell.id, reason=str(error))
        except CaptureFailure as error:
            self._emit("failed", cell_id=cell.id, reason=str(error))
        else:
            self._emit("finished", cell_id=cell.id, measurement=document, trace=trace)

    def _dismiss_workers(self) -> None:
        if self._workers is not None:
            self._workers.close()
        self._workers = None

    def _launch_workers(self) -> WorkerGroup:
        assert self._network is not None
        wiring = self._network.wiring
        hosts = [
            (pid, addressing.address(wiring, rank).interface) for rank, pid in enumerate(self._network.worker_pids)
        ]
        return WorkerGroup(
            hosts=hosts,
            rank_command=[str(self._native / "join_rank"), str(self._socket)],
            folder=self._folder,
            environment=self._environment,
            on_step=self._say_step,
        )

    def _say_step(self, step: int) -> None:
        self._emit("step", cell_id=self._cell_id, step=step, phase=self._phase)

    def _measure(
        self, group: WorkerGroup, cell: Cell, recording: str | None, probe: Mapping[str, Any]
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """The cell's document and trace."""
        assert self._network is not None and self._shaper is not None
        profile = _profile(cell.device)

        def draws(repetition: int, steps: int) -> Any:
            seconds = compute_draws(
                profile, cell.workload, cell.batch_size, cell.network.workers, steps, cell.seed, repetition
            )
            return seconds * cell.compute_scale

        def say(phase: str, _: int) -> None:
            self._phase = phase

        capture = self._capture(cell)
        measurement = Measurement(
            group=group,
            cell=cell,
            profile=profile,
            draws=draws,
            mean_compute_s=profile.mean_compute_s(cell.workload, cell.batch_size) * cell.compute_scale,
            quiet_s=max(QUIET_AT_LEAST_S, QUIET_ROUND_TRIPS * cell.network.latency_s),
            say=say,
            measuring=capture,
        )
        measured = measurement.run(recording, self._host_links)
        document = merge_document(
            cell,
            measured,
            probe=dict(probe),
            delays=self._shaper.report(),
            profile={"device": profile.device, "kind": str(profile.kind), "digest": profile.digest},
        )
        if capture is not None:
            document["capture"] = capture.report()
        return document, measurement.trace

    def _capture(self, cell: Cell) -> Capture | None:
        assert self._network is not None
        return (
            Capture(taps(self._network.wiring, self._network.pid), self._captures / cell.id) if cell.capture else None
        )

    def _host_links(self, rank: int, address: str) -> int:
        """How many hosts transmit a packet from a rank to an address."""
        assert self._network is not None
        wiring = self._network.wiring
        target = int(address.rsplit(".", 1)[1]) - 1
        return sum(end.node in wiring.workers for end in wiring.path(rank, target))
