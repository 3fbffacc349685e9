"""How exact a delay is on this machine: measured on two emulated hosts that are thrown away.

`measure` starts this module as a program, `python -m testbed.labs.host.exactness NATIVE BACKEND`, in namespaces of its
own, where it brings up a star of two, shapes it as the lab would, and prints what round trips took, as JSON.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from testbed.command import run
from testbed.labs.host.awake import awake_processors
from testbed.labs.host.process import ISOLATION

LATENCY_S = 5e-3
ECHOES = 41
WITHIN_S = 60.0


@dataclass(frozen=True, kw_only=True)
class Exactness:
    """Round trips of datagrams beside what they should take."""

    backend: str
    expected_s: float
    median_error_s: float
    largest_error_s: float
    allowed_s: float  # a network whose median is further off is called unfaithful
    real_time: bool | None  # whether the process that holds packets has real-time priority; None: the kernel holds them


def measure(native: Path, backend: str) -> Exactness:
    """Measure; `native` is the folder of the compiled helpers. LabError where the network cannot be had.

    It takes about two seconds, most of them to start Python.
    """
    words = [sys.executable, "-m", __name__, str(native), backend]
    said = run(["setpriv", "--pdeathsig", "KILL", "--", *ISOLATION, *words], timeout_s=WITHIN_S)
    return Exactness(**json.loads(said))


def _measure_here(native: Path, backend: str) -> Exactness:
    """In namespaces of our own."""
    from shaping import expected, plan, probe
    from testbed.cell import Network
    from testbed.labs.host.emulations import EMULATIONS
    from topologies import make, network

    emulation = EMULATIONS[backend](native)
    settings = Network(topology="star", workers=2, bandwidth_bit_per_s=1e9, latency_s=LATENCY_S, queue_bytes=2**20)
    running = network.start(make(settings.topology, workers=settings.workers))
    wiring = running.wiring
    try:
        shaper = emulation.shaper(wiring, {node: running.pid(node) for node in (*wiring.workers, *wiring.switches)})
        try:
            links = plan.plan(settings, wiring, emulation.super_packet_s)
            shaper.apply(links)
            shaper.calibrate(links)
            shaper.read_back(links)
            trips_s = probe.round_trips_s(running.worker_pids, (0, 1), ECHOES, timeout_s=1.0)
            real_time = shaper.report().get("real_time")
        finally:
            shaper.close()
    finally:
        running.stop()
    expected_s = expected.rtt_s(expected.ShapedPaths.of(wiring, links), (0, 1))
    errors_s = [trip_s - expected_s for trip_s in trips_s]
    return Exactness(
        backend=backend,
        expected_s=expected_s,
        median_error_s=statistics.median(errors_s),
        largest_error_s=max(errors_s, key=abs),
        allowed_s=emulation.tolerance.rtt(expected_s),
        real_time=real_time,
    )


def main() -> None:
    """Measure and print."""
    native = Path(sys.argv[1])
    os.environ["PATH"] = f"{native}:{os.environ['PATH']}"
    with awake_processors(native):
        found = _measure_here(native, sys.argv[2])
    print(json.dumps(asdict(found)))


if __name__ == "__main__":
    main()
