"""Setting a plan, reading back what the kernel has, and waiting for links to be empty."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pyroute2.netlink import nlmsg

from shaping import messages
from shaping.link_ends import (
    OUTPUT_LIMIT,
    await_empty,
    by_node,
    dropped_packets,
    options_of,
    qdiscs_of,
    queued_bytes,
    require_as_set,
    sending_differs,
    tune_tcp,
)
from shaping.plan import NETEM_PACKET_LIMIT, LinkShaping
from topologies.configuration import get_link
from topologies.namespace import Netlink, inside


class Shaper:
    """Shapes the link ends of a running network, again and again, without touching connections.

    It holds a netlink socket in every namespace. Use it from the thread that made it.
    """

    def __init__(self, pids: Mapping[str, int]) -> None:
        """`pids`: for each node, the process whose network namespace is the node's."""
        self._netlinks = {node: Netlink(pid, node, messages.ANSWERS) for node, pid in pids.items()}
        self._hooked: set[str] = set()  # interfaces that have our clsact and filter
        self._plan: tuple[LinkShaping, ...] = ()
        self._dropped_before = 0

    def __enter__(self) -> Shaper:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def apply(self, plan: Sequence[LinkShaping]) -> None:
        """Set every link, in place where it is set already; packets under way are kept, queues start empty.

        Raises:
            LabError: the kernel refuses, lacks netem, tbf, police, mirred, matchall, clsact or ifb, or an interface
                is gone.
        """
        new = {link.end.interface for link in plan} - self._hooked
        self._send(plan, _sending_node, lambda link, netlink: _sending_end(link, netlink, link.end.interface in new))
        behind = [link for link in plan if link.from_worker and link.end.interface in new]
        self._send(behind, _delay_node, lambda link, _: [messages.add_receiving_device(link.delay_interface)])
        self._send(behind, _delay_node, _redirection)
        self._send(plan, _delay_node, _delay)
        self._hooked |= new
        for node, links in by_node(_sending_node, plan).items():
            tune_tcp(self._netlinks[node].pid, links)
        self._plan = tuple(plan)
        self._dropped_before = dropped_packets(self._netlinks.values())

    def change(self, plan: Sequence[LinkShaping]) -> None:
        """Set what differs from the plan that was set last, while packets are under way; counts go on.

        Both plans have super-packets of one size. What netem holds leaves as it was told when it came.

        Raises:
            LabError: as `apply`.
        """
        pairs = list(zip(plan, self._plan, strict=True))
        sending = [link for link, before in pairs if sending_differs(link, before)]
        self._send(sending, _sending_node, lambda link, netlink: _sending_end(link, netlink, new=False))
        self._send([link for link, before in pairs if link != before], _delay_node, _delay)
        self._plan = tuple(plan)

    def _send(
        self,
        plan: Sequence[LinkShaping],
        node_of: Callable[[LinkShaping], str],
        requests: Callable[[LinkShaping, Netlink], list[nlmsg]],
    ) -> None:
        for node, links in by_node(node_of, plan).items():
            netlink = self._netlinks[node]
            netlink.send([request for link in links for request in requests(link, netlink)], "shaping links")

    def calibrate(self, plan: Sequence[LinkShaping]) -> None:
        """Nothing: the kernel's own delays are exact."""

    def read_back(self, plan: Sequence[LinkShaping]) -> list[dict[str, Any]]:
        """What the kernel has, one JSON-able record per link.

        Raises:
            LabError: it differs from the plan; names link, value expected and value found.
        """
        qdiscs = {node: qdiscs_of(netlink) for node, netlink in self._netlinks.items()}
        return [_compare(link, self._found(link, qdiscs)) for link in plan]

    def _found(self, link: LinkShaping, qdiscs: Mapping[str, Mapping[int, Any]]) -> dict[str, Any]:
        """What the kernel has for a link, under the names of `LinkShaping`."""
        here, there = self._netlinks[link.end.node], self._netlinks[link.delay_node]
        delay = options_of(qdiscs[link.delay_node], there.index(link.delay_interface), "netem", link.delay_interface)
        found = _sending_state(link, here) | _delay_state(delay)
        if link.from_worker:
            gate = options_of(qdiscs[link.end.node], here.index(link.end.interface), "tbf", link.end.interface)
            found |= {
                "gate_rate_byte_per_s": gate.get_attr("TCA_TBF_PARMS")["rate"],
                "output_limit_bytes": _output_limit_bytes(here.pid),
            }
        return found

    def backlog_bytes(self) -> int:
        """Bytes that all links hold, in queues and on the way."""
        return queued_bytes(self._netlinks.values())

    def drain(self, within_s: float) -> None:
        """Wait until all links are empty.

        Raises:
            LabError: they are not after `within_s`; somebody is still sending.
        """
        await_empty(self.backlog_bytes, within_s)

    def report(self) -> dict[str, Any]:
        """What the kernel lost, as it was told, since the plan was applied."""
        return {"backend": "netem", "dropped": dropped_packets(self._netlinks.values()) - self._dropped_before}

    def clear(self, plan: Sequence[LinkShaping]) -> None:
        """Take the shaping off; links are as fast as the machine."""
        self._send(plan, _sending_node, _removal)
        self._send([link for link in plan if link.from_worker], _delay_node, _device_removal)
        self._hooked -= {link.end.interface for link in plan}
        for link in plan:
            self._netlinks[link.delay_node].forget(link.delay_interface)

    def close(self) -> None:
        """Close the netlink sockets; the shaping stays."""
        for netlink in self._netlinks.values():
            netlink.close()


def _sending_node(link: LinkShaping) -> str:
    return link.end.node


def _delay_node(link: LinkShaping) -> str:
    return link.delay_node


def _sending_end(link: LinkShaping, netlink: Netlink, new: bool) -> list[nlmsg]:
    """Super-packets, queue and, at a worker, the gate."""
    index = netlink.index(link.end.interface)
    requests = [messages.set_super_packets(link, index)]
    if link.from_worker:
        requests.append(messages.set_gate(link, index))
    if new:
        return [*requests, messages.add_classifier(index), messages.add_policer(link, index)]
    return [*requests, messages.set_policer(link, index)]


def _redirection(link: LinkShaping, netlink: Netlink) -> list[nlmsg]:
    return [messages.add_redirection(netlink.index(link.end.peer_interface), netlink.index(link.delay_interface))]


def _delay(link: LinkShaping, netlink: Netlink) -> list[nlmsg]:
    return [messages.set_netem(link, netlink.index(link.delay_interface))]


def _removal(link: LinkShaping, netlink: Netlink) -> list[nlmsg]:
    index = netlink.index(link.end.interface)
    remove_qdisc = messages.remove_gate if link.from_worker else messages.remove_netem
    return [messages.remove_classifier(index), remove_qdisc(index)]


def _device_removal(link: LinkShaping, netlink: Netlink) -> list[nlmsg]:
    return [messages.remove_device(netlink.index(link.delay_interface))]


def _output_limit_bytes(pid: int) -> int:
    with inside(pid):
        return int(OUTPUT_LIMIT.read_text())


def _delay_state(netem: Any) -> dict[str, Any]:
    return {
        "rate_byte_per_s": netem.get_attr("TCA_NETEM_RATE")["rate"],
        "delay_ns": netem.get_attr("TCA_NETEM_LATENCY64"),
        "jitter_ns": netem.get_attr("TCA_NETEM_JITTER64"),
        "loss_u32": netem["loss"],
        "packet_limit": netem["limit"],
    }


def _sending_state(link: LinkShaping, netlink: Netlink) -> dict[str, Any]:
    index = netlink.index(link.end.interface)
    requests = [messages.get_policer(index), get_link(index)]
    filter_, device = netlink.get(requests, "reading policer and link")
    police = filter_.get_nested("TCA_OPTIONS", "TCA_MATCHALL_ACT", "TCA_ACT_TAB_1", "TCA_ACT_OPTIONS")
    bucket = police.get_attr("TCA_POLICE_TBF")
    return {
        "queue_rate_byte_per_s": bucket["rate"],
        "queue_ticks": bucket["burst"],
        "queue_action": bucket["action"],
        "segments": device.get_attr("IFLA_GSO_MAX_SEGS"),
    }


def _compare(link: LinkShaping, found: dict[str, Any]) -> dict[str, Any]:
    expected = {
        "rate_byte_per_s": link.rate_byte_per_s,
        "delay_ns": link.delay_ns,
        "jitter_ns": link.jitter_ns,
        "loss_u32": link.loss_u32,
        "packet_limit": NETEM_PACKET_LIMIT,
        "queue_rate_byte_per_s": link.rate_byte_per_s,
        "queue_ticks": link.queue_ticks,
        "queue_action": messages.TC_ACT_SHOT,
        "segments": link.segments,
    }
    if link.from_worker:
        expected |= {
            "gate_rate_byte_per_s": link.rate_byte_per_s,
            "output_limit_bytes": link.output_limit_bytes,
        }
    require_as_set(link, expected, found)
    return {"interface": link.end.interface, "queue_bytes": link.queue_bytes, **found}
