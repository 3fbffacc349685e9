"""A session: hosts, links and workers brought up once per topology and size, re-shaped per network.

Only the connections between workers are made anew for every cell (testbed/workers/connections.py says why), and the
workers themselves after a failure, or when they are worn out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from shaping.schedule import scheduled
from testbed.cell import Cell, Hosting, Network
from testbed.errors import LabError, UserError
from testbed.profiles.profile import Profile
from testbed.session.capture import Capture, CaptureFailure, taps
from testbed.session.compute import Compute, profile_of, quiet_s
from testbed.session.emulated_network import DRAIN_WITHIN_S, Emit, EmulatedNetwork
from testbed.session.emulation import Emulation
from testbed.session.hosts import Hosts, NamespaceHosts
from testbed.session.link_schedule import LinkSchedule
from testbed.session.measure import Measurement, merge_document
from testbed.session.whole_training import TrainingRun
from testbed.session.worker_group import WorkerDiverged, WorkerFailure, WorkerGroup

Task = tuple[Cell, str | None]  # a cell, and the folder of its recorded gradients


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
        self._captures = captures
        self._kept = kept
        self._environment = environment
        self._emit = emit
        self._emulation = emulation
        self._workers: WorkerGroup | None = None
        self._cell_id = self._phase = ""  # of the cell under way
        self._namespaces = NamespaceHosts(folder=folder, native=native, environment=environment)
        self._network = EmulatedNetwork(emulation=emulation, hosts_of=self._hosts_of, emit=emit)

    @property
    def group(self) -> str | None:
        """Which hosts and links are up; None where none are."""
        return self._network.group

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
                probe = self._network.shape(network)
                while left and self.group is not None:
                    self._run_cell(*left[0], probe)
                    left.pop(0)
        except (LabError, UserError) as error:
            for cell, _ in left:
                self._emit("failed", cell_id=cell.id, reason=str(error))

    def _bring_up(self, group: str, network: Network, hosting: Hosting) -> None:
        if group == self.group and self._network.lost() is None:
            return
        self._take_down()
        self._network.bring_up(group, network, hosting)

    def _hosts_of(self, hosting: Hosting) -> Hosts:
        return self._namespaces if hosting.containers is None else self._emulation.containers(hosting)

    def _take_down(self) -> None:
        self._dismiss_workers()
        self._network.take_down()

    def _run_cell(self, cell: Cell, recording: str | None, probe: Mapping[str, Any]) -> None:
        self._cell_id, self._phase = cell.id, "starting"
        self._emit("started", cell_id=cell.id)
        try:
            if self._workers is None or self._workers.worn_out:
                self._dismiss_workers()
                self._workers = self._launch_workers()
                self._emit("facts", mpi=self._workers.mpi_library)
            self._network.drain()  # of the connections that were just closed
            document, trace = self._measure(self._workers, cell, recording, probe)
        except WorkerFailure as error:
            self._dismiss_workers()
            lost = self._network.lost()  # now, when what ended with a worker has ended
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
            self._network.restore()

    def _dismiss_workers(self) -> None:
        if self._workers is not None:
            self._workers.close()
        self._workers = None

    def _launch_workers(self) -> WorkerGroup:
        hosts = self._network.hosts
        return WorkerGroup(
            hosts=self._network.places(),
            rank_command=hosts.rank_command(),
            folder=hosts.folder,
            environment=self._environment,
            on_step=self._say_step,
            lost=self._network.lost if self._emulation.real_time else lambda: None,  # nobody reaches into a guest
        )

    def _say_step(self, step: int) -> None:
        self._emit("step", cell_id=self._cell_id, step=step, phase=self._phase)

    def _measure(
        self, group: WorkerGroup, cell: Cell, recording: str | None, probe: Mapping[str, Any]
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """The cell's document and trace."""
        profile = profile_of(cell)
        known = {"probe": dict(probe), "profile": _named(profile)}
        if cell.training is not None:
            run = TrainingRun(group, cell, cell.training, profile, self._say_phase, self._report_epoch)
            measured = run.run(self._kept / cell.id, self._host_links)
            return merge_document(cell, measured, delays=self._network.shaper.report(), **known), {}
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
        document = merge_document(cell, measured, delays=self._network.shaper.report(), **known)
        if capture is not None:
            document["capture"] = capture.report()
        return document, measurement.trace

    def _say_phase(self, phase: str, _: int) -> None:
        self._phase = phase

    def _report_epoch(self, number: int, document: Mapping[str, Any]) -> None:
        self._emit("epoch", cell_id=self._cell_id, epoch=number, document=document)

    def _capture(self, cell: Cell) -> Capture | None:
        return (
            Capture(taps(self._network.wiring, self._network.pid), self._captures / cell.id) if cell.capture else None
        )

    def _schedule(self, cell: Cell) -> LinkSchedule | None:
        if not cell.schedule:
            return None
        plans = scheduled(cell.network, cell.schedule, self._network.wiring, self._emulation.super_packet_s)
        return LinkSchedule(self._network.shaper, plans, DRAIN_WITHIN_S)

    def _host_links(self, rank: int, address: str) -> int:
        """How many hosts transmit a packet from a rank to an address."""
        wiring = self._network.wiring
        target = int(address.rsplit(".", 1)[1]) - 1
        return sum(end.node in wiring.workers for end in wiring.path(rank, target))


def _named(profile: Profile) -> dict[str, str]:
    return {"device": profile.device, "kind": str(profile.kind), "digest": profile.digest}
