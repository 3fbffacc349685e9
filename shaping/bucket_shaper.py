"""Shaping on a kernel without sch_netem: a token bucket (tbf) at every link end, delays at the receivers.

    worker or switch ──▶ tbf (root) ──▶ veth ──▶ … ──▶ worker's PREROUTING ──▶ NFQUEUE, delay_line ──▶ worker
                          rate, queue                   delay, jitter, loss

The bucket is BUCKET_S deeper than one super-packet. A bucket that just holds one loses whatever its timer ends late,
for every packet (on a machine at work 15 % of 100 Mbit/s); a deeper one makes up for it, and the delay line lets the
packets of a link pass one after the other, so that the rate is exact all the same. The tbf gives nothing up before it
is sent, so TCP small queues work.
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

# Echoes that calibrate a network: as many as take this long, within these bounds.
CALIBRATION_S = 0.2
FEWEST_ECHOES, MOST_ECHOES = 9, 40
ECHO_TIMEOUT_S = 5.0


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
        links: dict[tuple[str, str], int] = {}
        for node, own in by_node(lambda line: line.node, lines).items():
            _restore(self._pids[node], node, rules(own))
            for number, line in enumerate(own):
                link = links.setdefault((node, line.interface), len(links))
                queues.append((self._pids[node], number, link))
        return DelayProcess(self._program, queues, offset_ns=0)

    def calibrate(self, plan: Sequence[LinkShaping]) -> None:
        """Find what netfilter and a receiver's waking take at the plan's delays; packets go that much earlier.

        Links must be empty. It is found anew for each network, as processors wake later the longer they slept. The
        lower quartile of some echoes, as a busy machine lets some of them wait longer.

        Raises:
            LabError: echoes are lost.
        """
        assert self._delays is not None
        smooth = [dataclasses.replace(link, jitter_ns=0, loss_u32=0) for link in plan]
        paths = ShapedPaths.of(self._wiring, smooth)
        self._delays.set_offset(0)
        self._delays.set_all(delay_lines(paths))
        pair = (0, 1)
        should_s = expected.rtt_s(paths, pair)
        echoes = max(FEWEST_ECHOES, min(MOST_ECHOES, round(CALIBRATION_S / should_s)))
        pids = [self._pids[worker] for worker in self._wiring.workers]
        trips_s = round_trips_s(pids, pair, echoes, timeout_s=ECHO_TIMEOUT_S)
        if len(trips_s) < echoes:
            raise LabError("packets do not come through the delay lines; is another netfilter queue in the way?")
        lines = 2 * (self._wiring.hops(*pair) if routed(self._wiring) else 1)
        usual_s = statistics.quantiles(trips_s, n=4)[0]
        self._offset_ns = max(0, round((usual_s - should_s) / lines * 1e9))
        self._delays.set_offset(self._offset_ns)
        self._delays.set_all(self._lines)

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
