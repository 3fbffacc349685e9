"""Shaping on a kernel without sch_netem: a token bucket (tbf) at every link end, delays at the receivers.

    worker or switch ──▶ tbf (root) ──▶ veth ──▶ … ──▶ worker's PREROUTING ──▶ NFQUEUE, delay_line ──▶ worker
                          rate, queue                   delay, jitter, loss

The bucket is as deep as one super-packet, so that after idle one leaves at line rate; the delay line adds what its
bytes take at each rate that it crossed. The tbf gives nothing up before it is sent, so TCP small queues work.
"""

from __future__ import annotations

import dataclasses
import statistics
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pyroute2.netlink import nlmsg

from shaping import expected, messages
from shaping.delay_lines import DelayLine, delay_lines, rules
from shaping.delay_process import Counts, DelayProcess
from shaping.expected import ShapedPaths
from shaping.link_ends import (
    await_empty,
    by_node,
    options_of,
    qdiscs_of,
    queued_bytes,
    require_as_set,
    sending_differs,
    tune_tcp,
)
from shaping.plan import LinkShaping
from shaping.probe import round_trips_s
from testbed.errors import LabError
from topologies.addressing import routed
from topologies.configuration import get_link
from topologies.namespace import Netlink, inside
from topologies.wiring import Wiring

CALIBRATION_DELAY_NS = 2_000_000  # of each link: more than any overhead
CALIBRATION_ECHOES = 25
SPIN_NS = 20_000  # a timer ends about that late on a virtual machine; sleeping shorter and spinning is exact


class BucketShaper:
    """Shapes the link ends of a running network, again and again, without touching connections.

    It holds a netlink socket in every namespace, and runs one delay process. Use it from the thread that made it.
    """

    def __init__(self, wiring: Wiring, pids: Mapping[str, int], program: Path) -> None:
        """`pids`: for each node, the process whose network namespace is the node's. `program`: delay_line."""
        self._wiring = wiring
        self._pids = pids
        self._program = program
        self._netlinks = {node: Netlink(pid, node, messages.ANSWERS) for node, pid in pids.items()}
        self._delays: DelayProcess | None = None
        self._lines: list[DelayLine] = []
        self._plan: tuple[LinkShaping, ...] = ()
        self._offset_ns = 0

    def __enter__(self) -> BucketShaper:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def apply(self, plan: Sequence[LinkShaping]) -> None:
        """Set every link, all counts at zero. Links are empty, or were shaped with the same own links before.

        Raises:
            LabError: the kernel refuses, lacks tbf or NFQUEUE, iptables is missing, or an interface is gone.
        """
        lines = delay_lines(ShapedPaths.of(self._wiring, plan))
        self._set_buckets(plan)
        for node, links in by_node(lambda link: link.end.node, plan).items():
            tune_tcp(self._pids[node], links)
        if self._delays is None:
            self._delays = self._start(lines)
            self._offset_ns = self._calibrate(self._delays, plan)
        elif [line.place for line in lines] != [line.place for line in self._lines]:
            self._delays.close()
            self._delays = self._start(lines)
            self._delays.set_offset(self._offset_ns)
        self._delays.set_all(lines)
        self._lines, self._plan = lines, tuple(plan)

    def change(self, plan: Sequence[LinkShaping]) -> None:
        """Set what differs from the plan that was set last, while packets are under way; counts and draws go on.

        Both plans have super-packets of one size, and the same links of workers' own.

        Raises:
            LabError: as `apply`.
        """
        assert self._delays is not None
        lines = delay_lines(ShapedPaths.of(self._wiring, plan))
        self._set_buckets(
            [link for link, before in zip(plan, self._plan, strict=True) if sending_differs(link, before)]
        )
        for number, (line, before) in enumerate(zip(lines, self._lines, strict=True)):
            if line != before:
                self._delays.change(number, line)
        self._lines, self._plan = lines, tuple(plan)

    def _set_buckets(self, links: Sequence[LinkShaping]) -> None:
        for node, of_node in by_node(lambda link: link.end.node, links).items():
            netlink = self._netlinks[node]
            netlink.send([request for link in of_node for request in _bucket(link, netlink)], "shaping links")

    def _start(self, lines: Sequence[DelayLine]) -> DelayProcess:
        queues = []
        for node in dict.fromkeys(line.node for line in lines):
            own = [line for line in lines if line.node == node]
            _restore(self._pids[node], node, rules(own))
        numbers: dict[str, int] = {}
        for line in lines:
            numbers[line.node] = numbers.get(line.node, -1) + 1
            queues.append((self._pids[line.node], numbers[line.node]))
        return DelayProcess(self._program, queues, offset_ns=0, spin_ns=SPIN_NS)

    def _calibrate(self, delays: DelayProcess, plan: Sequence[LinkShaping]) -> int:
        """Find what netfilter and the delay process take themselves; packets go that much earlier from now on."""
        slow = [dataclasses.replace(link, delay_ns=CALIBRATION_DELAY_NS, jitter_ns=0, loss_u32=0) for link in plan]
        paths = ShapedPaths.of(self._wiring, slow)
        delays.set_all(delay_lines(paths))
        pair = (0, 1)
        pids = [self._pids[worker] for worker in self._wiring.workers]
        trips_s = round_trips_s(pids, pair, CALIBRATION_ECHOES, timeout_s=2.0)
        if len(trips_s) < CALIBRATION_ECHOES:
            raise LabError("packets do not come through the delay lines; is another netfilter queue in the way?")
        lines = 2 * (self._wiring.hops(*pair) if routed(self._wiring) else 1)
        offset_ns = max(0, round((statistics.median(trips_s) - expected.rtt_s(paths, pair)) / lines * 1e9))
        delays.set_offset(offset_ns)
        return offset_ns

    def read_back(self, plan: Sequence[LinkShaping]) -> list[dict[str, Any]]:
        """What the kernel has, one JSON-able record per link.

        Raises:
            LabError: it differs from the plan; names link, value expected and value found.
        """
        qdiscs = {node: qdiscs_of(netlink) for node, netlink in self._netlinks.items()}
        return [self._compare(link, qdiscs[link.end.node]) for link in plan]

    def _compare(self, link: LinkShaping, qdiscs: Mapping[int, Any]) -> dict[str, Any]:
        netlink = self._netlinks[link.end.node]
        index = netlink.index(link.end.interface)
        bucket = options_of(qdiscs, index, "tbf", link.end.interface).get_attr("TCA_TBF_PARMS")
        (device,) = netlink.get([get_link(index)], "reading links")
        found = {
            "rate_byte_per_s": bucket["rate"],
            "limit_bytes": bucket["limit"],
            "segments": device.get_attr("IFLA_GSO_MAX_SEGS"),
        }
        wanted = {
            "rate_byte_per_s": link.rate_byte_per_s,
            "limit_bytes": messages.bucket_limit_bytes(link),
            "segments": link.segments,
        }
        require_as_set(link, wanted, found)
        return {"interface": link.end.interface, "queue_bytes": link.queue_bytes, "delay_ns": link.delay_ns, **found}

    def backlog_bytes(self) -> int:
        """Bytes in all queues; each packet in a delay line counts as one."""
        return queued_bytes(self._netlinks.values()) + sum(one.held for one in self._counts())

    def _counts(self) -> list[Counts]:
        if self._delays is None:
            return []
        return [self._delays.counts(number) for number in range(len(self._lines))]

    def report(self) -> dict[str, Any]:
        """What the delay lines did since they were set, all together."""
        counts = self._counts()
        released = sum(one.released for one in counts)
        return {
            "backend": "nfqueue",
            "real_time": self._delays is not None and self._delays.real_time,
            "offset_ns": self._offset_ns,
            "packets": sum(one.taken for one in counts),
            "dropped": sum(one.dropped for one in counts),
            "overrun": sum(one.overrun for one in counts),
            "late_mean_ns": sum(one.late_sum_ns for one in counts) / released if released else 0.0,
            "late_max_ns": max((one.late_max_ns for one in counts), default=0),
        }

    def drain(self, within_s: float) -> None:
        """Wait until all links are empty. LabError where they are not after `within_s`."""
        await_empty(self.backlog_bytes, within_s)

    def close(self) -> None:
        """End the delay process and close the netlink sockets; what the kernel has stays."""
        if self._delays is not None:
            self._delays.close()
        for netlink in self._netlinks.values():
            netlink.close()


def _bucket(link: LinkShaping, netlink: Netlink) -> list[nlmsg]:
    index = netlink.index(link.end.interface)
    return [messages.set_super_packets(link, index), messages.set_bucket(link, index)]


def _restore(pid: int, node: str, text: str) -> None:
    with inside(pid):
        try:
            done = subprocess.run(
                ["iptables-legacy-restore", "--noflush"], input=text, capture_output=True, text=True, check=False
            )
        except FileNotFoundError as error:
            raise LabError(
                "program iptables-legacy-restore is not on PATH; install the Debian package iptables"
            ) from error
    if done.returncode != 0:
        raise LabError(f"iptables refuses the queues of {node}: {done.stderr.strip()}")
