"""A session: hosts, links and workers brought up once per topology and size, re-shaped per network.

Only the connections between workers are made anew for every cell (testbed/workers/connections.py says why), and the
workers themselves after a failure, or when they are worn out.
"""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from shaping.plan import LinkShaping
from shaping.plan import plan as shaping_plan
from shaping.probe import probe as probe_network
from shaping.schedule import scheduled
from testbed.cell import Cell, Hosting, Network
from testbed.errors import LabError, UserError
from testbed.profiles.profile import Profile
from testbed.session.capture import Capture, CaptureFailure, taps
from testbed.session.compute import Compute, profile_of, quiet_s
from testbed.session.emulation import Emulation, LinkShaper
from testbed.session.hosts import Hosts, NamespaceHosts
from testbed.session.link_schedule import LinkSchedule
from testbed.session.measure import Measurement, merge_document
from testbed.session.whole_training import TrainingRun
from testbed.session.worker_group import WorkerDiverged, WorkerFailure, WorkerGroup
from topologies import addressing, registry, sysctls
from topologies import network as networks

Emit = Callable[..., None]
Task = tuple[Cell, str | None]  # a cell, and the folder of its recorded gradients

DRAIN_WITHIN_S = 60.0


class Session:
    """Measures cells on emulated networks; `emit` is told what happens, as keyword values under an event's name."""

    def __init__(
        self,
        *,
        folder: Path,
        captures: Path,
        kept: Path,
        native: Path,
        environment: Mapping[str, str],
        emit: Emit,
        emulation: Emulation,
    ) -> None:
        """`folder` is for sockets and logs of this session's own, `captures` for those of cells, by their ids.

        `kept`, by cells' ids too, is for what workers had after each epoch of a whole training.
        """
        self.group: str | None = None
        self._captures = captures
        self._kept = kept
        self._environment = environment
        self._emit = emit
        self._emulation = emulation
        self._network: networks.RunningNetwork | None = None
        self._shaper: LinkShaper | None = None
        self._plan: tuple[LinkShaping, ...] = ()  # of the network whose cells are measured
        self._workers: WorkerGroup | None = None
        self._cell_id = self._phase = ""  # of the cell under way
        self._took_s: dict[str, dict[str, float]] = {}  # by group: what was done to its network, and for how long
        self._times: dict[str, float] = {}  # those of the network that is up
        self._namespaces = NamespaceHosts(folder=folder, native=native, environment=environment)
        self._hosts: Hosts = self._namespaces

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Take everything down."""
        self._take_down()
        self._namespaces.end()

    def run(self, group: str, network: Network, tasks: Sequence[Task]) -> None:
        """Measure cells on one network. Every cell ends in a `finished` or a `failed` event.

        They share a hosting. A host that ends takes the cell under way along; the others run on hosts made anew.
        """
        left = list(tasks)
        try:
            while left:
                self._bring_up(group, network, left[0][0].hosting)
                probe = self._shape(network)
                while left and self.group is not None:
                    self._run_cell(*left[0], probe)
                    left.pop(0)
        except (LabError, UserError) as error:
            for cell, _ in left:
                self._emit("failed", cell_id=cell.id, reason=str(error))

    def _bring_up(self, group: str, network: Network, hosting: Hosting) -> None:
        if group == self.group and self._lost() is None:
            return
        self._take_down()
        self._emit("note", text=f"bringing up {group}")
        topology = registry.make(network.topology, workers=network.workers, arity=network.arity)
        self._times = self._took_s.setdefault(group, {})
        self._hosts = self._namespaces if hosting.containers is None else self._emulation.containers(hosting)
        self._hosts.make_ready()
        with self._timed("up_s"):
            self._network = self._hosts.start(topology)
        wiring = self._network.wiring
        nodes = (*wiring.workers, *wiring.switches)
        self._shaper = self._emulation.shaper(wiring, {node: self._network.pid(node) for node in nodes})
        self.group = group
        first_worker = wiring.workers[0]
        self._emit("facts", kernel=platform.release(), sysctls=dict(self._network.sysctls[first_worker]))

    def _lost(self) -> str | None:
        """What of the hosts and links that are up is gone, in words."""
        return self._hosts.lost() or (self._network.lost() if self._network else None)

    def _take_down(self) -> None:
        self._dismiss_workers()
        if self._network is not None:
            with self._timed("down_s"):
                if self._shaper is not None:
                    self._shaper.close()
                self._network.stop()
                self._hosts.close()
        else:
            self._hosts.close()
        self._shaper = self._network = self.group = None

    @contextmanager
    def _timed(self, what: str) -> Iterator[None]:
        """Say how long the enclosed takes; in virtual time that would mean nothing."""
        begun_s = time.monotonic()
        yield
        self._times[what] = time.monotonic() - begun_s
        if self._emulation.real_time:
            self._emit("facts", networks=self._took_s)

    def _shape(self, network: Network) -> dict[str, Any]:
        """Shape the links and probe them; the probe, with a link as the kernel has it."""
        assert self._network is not None and self._shaper is not None
        wiring = self._network.wiring
        plan = self._plan = shaping_plan(network, wiring, self._emulation.super_packet_s)
        self._shaper.drain(DRAIN_WITHIN_S)
        with self._timed("reshaped_s" if "shaped_s" in self._times else "shaped_s"):
            self._shaper.apply(plan)
        self._shaper.calibrate(plan)
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
            lost = self._lost()  # now, when what ended with a worker has ended
            if lost is not None:
                self._take_down()
            else:
                self._restore(cell)
            reason = str(error) if lost is None else f"{error}: {lost}"
            self._emit("failed", cell_id=cell.id, reason=reason, diverged=isinstance(error, WorkerDiverged))
        except CaptureFailure as error:
            self._restore(cell)
            self._emit("failed", cell_id=cell.id, reason=str(error))
        except LabError:
            self._dismiss_workers()  # they may be in the midst of their steps
            raise
        else:
            self._restore(cell)
            self._emit("finished", cell_id=cell.id, measurement=document, trace=trace)

    def _restore(self, cell: Cell) -> None:
        """Shape links as the network says, where a cell had them shaped otherwise."""
        if cell.schedule:
            assert self._shaper is not None
            self._shaper.drain(DRAIN_WITHIN_S)
            self._shaper.apply(self._plan)

    def _dismiss_workers(self) -> None:
        if self._workers is not None:
            self._workers.close()
        self._workers = None

    def _launch_workers(self) -> WorkerGroup:
        assert self._network is not None
        wiring = self._network.wiring
        places = [
            (self._hosts.namespace(self._network, rank), addressing.address(wiring, rank).interface)
            for rank in range(len(wiring.workers))
        ]
        return WorkerGroup(
            hosts=places,
            rank_command=self._hosts.rank_command(),
            folder=self._hosts.folder,
            environment=self._environment,
            on_step=self._say_step,
            lost=self._lost if self._emulation.real_time else lambda: None,  # nobody reaches into a guest
        )

    def _say_step(self, step: int) -> None:
        self._emit("step", cell_id=self._cell_id, step=step, phase=self._phase)

    def _measure(
        self, group: WorkerGroup, cell: Cell, recording: str | None, probe: Mapping[str, Any]
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """The cell's document and trace."""
        assert self._network is not None and self._shaper is not None
        profile = profile_of(cell)
        known = {"probe": dict(probe), "profile": _named(profile)}
        if cell.training is not None:
            run = TrainingRun(group, cell, cell.training, profile, self._say_phase, self._report_epoch)
            measured = run.run(self._kept / cell.id, self._host_links)
            return merge_document(cell, measured, delays=self._shaper.report(), **known), {}
        compute, capture = Compute(cell, profile), self._capture(cell)
        measurement = Measurement(
            group=group,
            cell=cell,
            profile=profile,
            draws=compute.draws,
            mean_compute_s=compute.mean_s,
            quiet_s=quiet_s(cell),
            say=self._say_phase,
            schedule=self._schedule(cell),
            measuring=capture,
        )
        measured = measurement.run(recording, self._host_links)
        document = merge_document(cell, measured, delays=self._shaper.report(), **known)
        if capture is not None:
            document["capture"] = capture.report()
        return document, measurement.trace

    def _say_phase(self, phase: str, _: int) -> None:
        self._phase = phase

    def _report_epoch(self, number: int, document: Mapping[str, Any]) -> None:
        self._emit("epoch", cell_id=self._cell_id, epoch=number, document=document)

    def _capture(self, cell: Cell) -> Capture | None:
        assert self._network is not None
        return (
            Capture(taps(self._network.wiring, self._network.pid), self._captures / cell.id) if cell.capture else None
        )

    def _schedule(self, cell: Cell) -> LinkSchedule | None:
        assert self._network is not None and self._shaper is not None
        if not cell.schedule:
            return None
        plans = scheduled(cell.network, cell.schedule, self._network.wiring, self._emulation.super_packet_s)
        return LinkSchedule(self._shaper, plans, DRAIN_WITHIN_S)

    def _host_links(self, rank: int, address: str) -> int:
        """How many hosts transmit a packet from a rank to an address."""
        assert self._network is not None
        wiring = self._network.wiring
        target = int(address.rsplit(".", 1)[1]) - 1
        return sum(end.node in wiring.workers for end in wiring.path(rank, target))


def _named(profile: Profile) -> dict[str, str]:
    return {"device": profile.device, "kind": str(profile.kind), "digest": profile.digest}
