"""What a station does for `gradwire run`, in whatever lab: a network, a probe, the program on it, a document."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any, Final

from testbed.cell import Hosting
from testbed.errors import LabError, UserError
from testbed.labs.spool import EventWriter
from testbed.program import link_bytes, ranks
from testbed.program.hosts import ProgramHosts
from testbed.program.launch import CLOCK, EVENTS, RANKS, Launch
from testbed.program.ranks import Ranks
from testbed.session.emulated_network import EmulatedNetwork
from testbed.session.emulation import Emulation

# In a guest this is emulated time, of which hours can pass in a second.
LOOK_EVERY_S: Final = {True: 0.1, False: 0.01}  # by whether time is real
NETWORK_EVERY_S: Final = 5.0  # in real time: whether all links are there


def work(spool: Path, native: Path, emulation: Emulation) -> None:
    """Run the program that the spool folder has; what happens goes to its events. `native`: the helpers' folder."""
    events = EventWriter(spool / EVENTS)
    launch = Launch.read(spool)
    command = [str(native / "enter_host"), str(spool / RANKS), *launch.words]
    network = EmulatedNetwork(
        emulation=emulation, hosts_of=lambda _: ProgramHosts(spool / RANKS, command), emit=events.write
    )
    try:
        network.bring_up(f"{launch.network.topology}-{launch.network.workers}", launch.network, Hosting())
        probe = network.shape(launch.network)
        events.write("began")
        document = _run(launch, network, spool, emulation)
        events.write("ended", document={**document, "probe": probe})
    except (LabError, UserError) as error:
        events.write("failed", reason=str(error))
    finally:
        network.take_down()
        events.write("end")
        events.close()


def _run(launch: Launch, network: EmulatedNetwork, spool: Path, emulation: Emulation) -> dict[str, Any]:
    """Launch the program and wait for it; the station's part of the document."""
    wiring = network.wiring
    before = link_bytes.counts(wiring, network.pid)
    running = Ranks(launch, network.places(), network.hosts.rank_command(), spool / RANKS)
    look = _Look(spool / CLOCK, network if emulation.real_time else None)
    try:
        timed_out = not running.wait(launch.timeout_s, LOOK_EVERY_S[emulation.real_time], look)
        ended_ns = time.monotonic_ns()
    finally:
        running.close()
        look.close()
    network.drain()  # what was still under way counts, too
    ends = running.ends()
    known = [end for end in ends if end is not None]
    begin_ns = min((end.begin_ns for end in known), default=running.begin_ns)
    last_ns = max(end.end_ns for end in known) if len(known) == len(ends) and not timed_out else ended_ns
    return {
        "time_s": (last_ns - begin_ns) / 1e9,
        "timed_out": timed_out,
        "exit_status": running.exit_status(ends, timed_out=timed_out),
        "ranks": ranks.documents(ends, begin_ns),
        "links": link_bytes.documents(wiring, before, link_bytes.counts(wiring, network.pid)),
        "delays": network.shaper.report(),
    }


class _Look:
    """What a station does while ranks run: say that time goes on, and see whether all links are there."""

    def __init__(self, clock: Path, network: EmulatedNetwork | None) -> None:
        self._descriptor = os.open(clock, os.O_WRONLY | os.O_CREAT, 0o600)
        self._network = network
        self._looked_s = time.monotonic()

    def __call__(self) -> None:
        """LabError where part of the network is gone."""
        now_ns = time.monotonic_ns()
        os.pwrite(self._descriptor, f"{now_ns:020}\n".encode(), 0)
        if self._network is not None and now_ns / 1e9 - self._looked_s > NETWORK_EVERY_S:
            self._looked_s = now_ns / 1e9
            if (lost := self._network.lost()) is not None:
                raise LabError(f"the program was ended: {lost}")

    def close(self) -> None:
        os.close(self._descriptor)
