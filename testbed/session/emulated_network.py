"""An emulated network: hosts and links brought up, shaped, probed, taken down.

It knows nothing of what runs on its hosts: a session (session.py) has workers there, `gradwire run` a user's program.
"""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from shaping.plan import LinkShaping
from shaping.plan import plan as shaping_plan
from shaping.probe import probe as probe_network
from testbed.cell import Hosting, Network
from testbed.session.emulation import Emulation, LinkShaper
from testbed.session.hosts import Hosts
from topologies import addressing, registry, sysctls
from topologies import network as networks
from topologies.wiring import Wiring

Emit = Callable[..., None]

DRAIN_WITHIN_S = 60.0


class EmulatedNetwork:
    """One network at a time. `emit` is told what happens, as keyword values under an event's name.

    Where there is none, `group` is None; `wiring`, `shaper`, `places` and `pid` are for one that is up.
    """

    def __init__(self, *, emulation: Emulation, hosts_of: Callable[[Hosting], Hosts], emit: Emit) -> None:
        """`hosts_of`: the hosts of a hosting, perhaps the same for several networks."""
        self.group: str | None = None
        self._emulation = emulation
        self._hosts_of = hosts_of
        self._emit = emit
        self._hosts: Hosts | None = None
        self._running: networks.RunningNetwork | None = None
        self._shaper: LinkShaper | None = None
        self._plan: tuple[LinkShaping, ...] = ()  # what was set last
        self._took_s: dict[str, dict[str, float]] = {}  # by group: what was done to its network, and for how long
        self._times: dict[str, float] = {}  # those of the network that is up

    @property
    def wiring(self) -> Wiring:
        """Its links, and who reaches whom over which."""
        return self._up().wiring

    @property
    def shaper(self) -> LinkShaper:
        """What shapes its links."""
        assert self._shaper is not None
        return self._shaper

    @property
    def hosts(self) -> Hosts:
        """What its workers live in."""
        assert self._hosts is not None
        return self._hosts

    def pid(self, node: str) -> int:
        """The process whose network namespace is a node's."""
        return self._up().pid(node)

    def places(self) -> list[tuple[int | None, str]]:
        """By rank: the process whose namespace a worker must enter (None: it begins there), and its interface."""
        running, wiring = self._up(), self.wiring
        return [
            (self.hosts.namespace(running, rank), addressing.address(wiring, rank).interface)
            for rank in range(len(wiring.workers))
        ]

    def _up(self) -> networks.RunningNetwork:
        assert self._running is not None
        return self._running

    def bring_up(self, group: str, network: Network, hosting: Hosting) -> None:
        """Hosts and links of a network, not yet shaped; none may be up. LabError where they cannot be had."""
        self._emit("note", text=f"bringing up {group}")
        topology = registry.make(network.topology, workers=network.workers, arity=network.arity)
        self._times = self._took_s.setdefault(group, {})
        self._hosts = self._hosts_of(hosting)
        self._hosts.make_ready()
        with self._timed("up_s"):
            self._running = self._hosts.start(topology)
        wiring = self.wiring
        nodes = (*wiring.workers, *wiring.switches)
        self._shaper = self._emulation.shaper(wiring, {node: self.pid(node) for node in nodes})
        self.group = group
        first_worker = wiring.workers[0]
        self._emit("facts", kernel=platform.release(), sysctls=dict(self._running.sysctls[first_worker]))

    def lost(self) -> str | None:
        """What of the hosts and links that are up is gone, in words."""
        gone = self._hosts.lost() if self._hosts else None
        return gone or (self._running.lost() if self._running else None)

    def take_down(self) -> None:
        """End links and hosts, whatever of them is up; what ran there must have ended."""
        if self._running is not None:
            with self._timed("down_s"):
                if self._shaper is not None:
                    self._shaper.close()
                self._running.stop()
                self._close_hosts()
        else:
            self._close_hosts()
        self._shaper = self._running = self.group = None

    def _close_hosts(self) -> None:
        if self._hosts is not None:
            self._hosts.close()

    @contextmanager
    def _timed(self, what: str) -> Iterator[None]:
        """Say how long the enclosed takes; in virtual time that would mean nothing."""
        begun_s = time.monotonic()
        yield
        self._times[what] = time.monotonic() - begun_s
        if self._emulation.real_time:
            self._emit("facts", networks=self._took_s)

    def shape(self, network: Network) -> dict[str, Any]:
        """Shape the links and probe them; the probe, with a link as the kernel has it."""
        wiring, running, shaper = self.wiring, self._up(), self.shaper
        plan = self._plan = shaping_plan(network, wiring, self._emulation.super_packet_s)
        self.drain()
        with self._timed("reshaped_s" if "shaped_s" in self._times else "shaped_s"):
            shaper.apply(plan)
        shaper.calibrate(plan)
        chosen = {sysctls.SLOW_START_AFTER_IDLE: str(int(network.slow_start_after_idle))}
        tcp = [sysctls.write(running.pid(node), node, chosen) for node in wiring.workers]
        read_back = shaper.read_back(plan)
        self._emit(
            "note",
            text=f"probing {network.bandwidth_bit_per_s / 1e6:g} Mbit/s, {network.latency_s * 1e3:g} ms",
        )
        probe = probe_network(wiring, running.worker_pids, plan, self._emulation.tolerance)
        self.drain()
        probe["saturated"] = probe["saturated"] and self._emulation.real_time
        return {**probe, "link": read_back[0], "tcp": tcp[0]}

    def restore(self) -> None:
        """Shape links as the network says, where they were shaped otherwise since."""
        self.drain()
        self.shaper.apply(self._plan)

    def drain(self) -> None:
        """Wait until all links are empty; LabError where they do not become so."""
        self.shaper.drain(DRAIN_WITHIN_S)
