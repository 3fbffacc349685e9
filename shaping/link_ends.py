"""What every shaper does at link ends: group them, read qdiscs, tune TCP behind them, wait until they are empty."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pyroute2.netlink.rtnl import TC_H_ROOT

from shaping import messages
from shaping.plan import LinkShaping
from testbed.errors import LabError
from topologies.namespace import Netlink, inside

OUTPUT_LIMIT = Path("/proc/sys/net/ipv4/tcp_limit_output_bytes")
FLUSH_ROUTES = Path("/proc/sys/net/ipv4/route/flush")
DRAIN_POLL_S = 0.001


T = TypeVar("T")


def by_node(node_of: Callable[[T], str], things: Iterable[T]) -> dict[str, list[T]]:
    """Links, or what stands for them, by the node that a function names for each."""
    nodes: dict[str, list[T]] = {}
    for thing in things:
        nodes.setdefault(node_of(thing), []).append(thing)
    return nodes


def sending_differs(link: LinkShaping, before: LinkShaping) -> bool:
    """Whether a plan changes what is set where packets are sent. Setting it anew would forget the queue's state."""
    assert link.end == before.end and link.segments == before.segments
    return (link.rate_byte_per_s, link.queue_ticks) != (before.rate_byte_per_s, before.queue_ticks)


def dropped_packets(netlinks: Iterable[Netlink]) -> int:
    """Packets that the delays of some namespaces have lost, as they were told, since they were made."""
    return sum(
        qdisc.get_attr("TCA_STATS2").get_attr("TCA_STATS_QUEUE")["drops"]
        for netlink in netlinks
        for qdisc in qdiscs_of(netlink).values()
        if qdisc.get_attr("TCA_KIND") == "netem"
    )


def tune_tcp(pid: int, links: Sequence[LinkShaping]) -> None:
    """Set what TCP may keep in a worker's card, and make open connections look at their interface again.

    TCP keeps the size of super-packets with the route.
    """
    with inside(pid):
        if links[0].from_worker:
            OUTPUT_LIMIT.write_text(str(max(link.output_limit_bytes for link in links)))
        FLUSH_ROUTES.write_text("1")


def qdiscs_of(netlink: Netlink) -> dict[int, Any]:
    """Our root qdiscs of a namespace by interface number."""
    return {
        qdisc["index"]: qdisc
        for qdisc in netlink.dump(messages.get_qdiscs(), "reading qdiscs")
        if qdisc["parent"] == TC_H_ROOT and qdisc.get_attr("TCA_KIND") in ("netem", "tbf")
    }


def options_of(qdiscs: Mapping[int, Any], index: int, kind: str, interface: str) -> Any:
    """The options of an interface's root qdisc; LabError where that is of another kind, or none."""
    if index not in qdiscs or qdiscs[index].get_attr("TCA_KIND") != kind:
        raise LabError(f"interface {interface} has no {kind} qdisc; somebody removed it")
    return qdiscs[index].get_attr("TCA_OPTIONS")


def queued_bytes(netlinks: Iterable[Netlink]) -> int:
    """Bytes that our qdiscs of some namespaces hold."""
    return sum(
        qdisc.get_attr("TCA_STATS2").get_attr("TCA_STATS_QUEUE")["backlog"]
        for netlink in netlinks
        for qdisc in qdiscs_of(netlink).values()
    )


def require_as_set(link: LinkShaping, wanted: Mapping[str, Any], found: Mapping[str, Any]) -> None:
    """Raise LabError where the kernel has something else than was set."""
    for name, value in wanted.items():
        if found[name] != value:
            raise LabError(
                f"{name} of {link.end.interface}: set to {value}, the kernel has {found[name]}; "
                "somebody else shapes this interface"
            )


def await_empty(backlog: Callable[[], int], within_s: float) -> None:
    """Wait until links hold nothing. LabError where they still do after `within_s`: somebody is sending."""
    deadline = time.monotonic() + within_s
    while (left := backlog()) > 0:
        if time.monotonic() > deadline:
            raise LabError(f"links still hold {left} bytes after {within_s:g} s; somebody is sending")
        time.sleep(DRAIN_POLL_S)
