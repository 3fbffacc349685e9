"""What tests/shaping/test_bucket_shaper.py starts in namespaces of its own, as root; prints what it found, as JSON.

python -m tests.shaping.in_host NATIVE    where NATIVE is the folder of the compiled helpers
"""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from shaping.bucket_shaper import BucketShaper
from shaping.plan import plan
from shaping.probe import round_trips_s
from shaping.schedule import scheduled
from testbed.cell import Change, Network
from testbed.errors import LabError
from topologies import make, network

LATENCIES_S = (10e-3, 40e-3)
PAIR = (0, 1)


def settings(latency_s: float) -> Network:
    return Network(topology="star", workers=2, bandwidth_bit_per_s=20e6, latency_s=latency_s, queue_bytes=2**20)


def complaint(act: Callable[[], Any]) -> str:
    """What a LabError says."""
    try:
        act()
    except LabError as error:
        return str(error)
    return ""


def main() -> None:
    """Shape twice, probe, interfere."""
    native = Path(sys.argv[1])
    os.environ["PATH"] = f"{native}:{os.environ['PATH']}"
    running = network.start(make("star", workers=2))
    wiring = running.wiring
    pids = {node: running.pid(node) for node in (*wiring.workers, *wiring.switches)}
    found: dict[str, Any] = {"trips_s": []}
    try:
        with BucketShaper(wiring, pids, native / "delay_line") as shaper:
            for latency_s in LATENCIES_S:
                links = plan(settings(latency_s), wiring)
                shaper.apply(links)
                shaper.calibrate(links)
                found["read_back"] = shaper.read_back(links)
                found["trips_s"].append(round_trips_s(running.worker_pids, PAIR, 9, timeout_s=1.0))
                shaper.drain(5.0)
            found["report"] = shaper.report()
            still = settings(LATENCIES_S[0])
            plans = scheduled(still, (Change(at_s=1.0, latency_s=LATENCIES_S[1]),), wiring)
            shaper.apply(plans.still)
            found["before_trips_s"] = round_trips_s(running.worker_pids, PAIR, 9, timeout_s=1.0)
            shaper.change(plans.moments[0].plan)
            shaper.read_back(plans.moments[0].plan)
            found["changed_trips_s"] = round_trips_s(running.worker_pids, PAIR, 9, timeout_s=1.0)
            shaper.drain(5.0)
            found["changed_report"] = shaper.report()
            rough = dataclasses.replace(settings(20e-3), jitter_s=1e-3, loss=0.1)
            shaper.apply(plan(rough, wiring))
            found["rough_trips_s"] = round_trips_s(running.worker_pids, PAIR, 15, timeout_s=1.0)
            shaper.drain(5.0)
            found["rough_report"] = shaper.report()
            shaper.apply(links)
            first = links[0].end
            tc = ["nsenter", "-t", str(pids[first.node]), "-n", "tc", "qdisc"]
            subprocess.run(
                [*tc, "change", "dev", first.interface, "root", "tbf", "rate", "1mbit", "burst", "9k", "limit", "9k"],
                check=True,
            )
            found["other_rate"] = complaint(lambda: shaper.read_back(links))
            subprocess.run([*tc, "del", "dev", first.interface, "root"], check=True)
            found["removed"] = complaint(lambda: shaper.read_back(links))
        missing = BucketShaper(wiring, pids, native / "no-such-program")
        found["no_program"] = complaint(lambda: missing.apply(links))
    finally:
        running.stop()
    print(json.dumps(found))


if __name__ == "__main__":
    main()
