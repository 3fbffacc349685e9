"""Traffic-control messages that pyroute2 does not know: nanoseconds of delay, a policer that acts as a queue.

Attribute numbers and layouts: linux/pkt_sched.h, linux/pkt_cls.h, linux/rtnetlink.h.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from pyroute2.netlink import NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE, nla, nlmsg
from pyroute2.netlink.rtnl import (
    RTM_DELLINK,
    RTM_DELQDISC,
    RTM_GETQDISC,
    RTM_GETTFILTER,
    RTM_NEWACTION,
    RTM_NEWLINK,
    RTM_NEWQDISC,
    RTM_NEWTFILTER,
    TC_H_ROOT,
)
from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg
from pyroute2.netlink.rtnl.tcmsg import act_mirred, act_police, sched_netem, sched_tbf, tcmsg
from scipy.stats import norm

from shaping.plan import LARGEST_DEVIATION, LARGEST_U32, NETEM_PACKET_LIMIT, LinkShaping
from topologies.namespace import message

NETEM_HANDLE = 0x0001_0000
CLSACT_HANDLE = 0xFFFF_0000
CLSACT_PARENT = 0xFFFF_FFF1
CLSACT_INGRESS = 0xFFFF_FFF2
CLSACT_EGRESS = 0xFFFF_FFF3
ALL_PROTOCOLS_FIRST_PRIORITY = 1 << 16 | 0x0300  # priority 1; ETH_P_ALL in network byte order
FILTER_HANDLE = 1

TC_ACT_OK = 0
TC_ACT_SHOT = 2
TC_ACT_STOLEN = 4
TCA_EGRESS_REDIR = 1
IFF_UP = 1
GATE_HANDLE = 0x0002_0000
GATE_SLACK_BYTES = 1024  # a super-packet's headers; tbf would split what exceeds its burst
BUCKET_S = 1e-3  # by which timers of a busy machine end late
GATE_LIMIT_BYTES = LARGEST_U32  # the policer in front is the queue
LINKLAYER_ETHERNET = 1
# The kernel asks for a table of packet times, of which it no longer uses anything.
RATE_TABLE = bytes(1024)
RATE_TABLE_CELL_LOG = 3

DISTRIBUTION_SCALE = 8192  # netem's unit of one standard deviation
DISTRIBUTION_ENTRIES = 4096  # the midpoint of the first lies 3.67 deviations out


class NetemOptions(nla):  # type: ignore[misc]  # pyroute2 has no types
    """struct tc_netem_qopt and the attributes that follow it."""

    fields = sched_netem.options.fields
    nla_map = (
        ("TCA_NETEM_UNSPEC", "none"),
        ("TCA_NETEM_CORR", "hex"),
        ("TCA_NETEM_DELAY_DIST", "cdata"),
        ("TCA_NETEM_REORDER", "hex"),
        ("TCA_NETEM_CORRUPT", "hex"),
        ("TCA_NETEM_LOSS", "hex"),
        ("TCA_NETEM_RATE", "netem_rate"),
        ("TCA_NETEM_ECN", "uint32"),
        ("TCA_NETEM_RATE64", "uint64"),
        ("TCA_NETEM_PAD", "hex"),
        ("TCA_NETEM_LATENCY64", "int64"),
        ("TCA_NETEM_JITTER64", "int64"),
        ("TCA_NETEM_SLOT", "hex"),
        ("TCA_NETEM_SLOT_DIST", "hex"),
        ("TCA_NETEM_PRNG_SEED", "uint64"),
    )

    class netem_rate(sched_netem.options.netem_rate):  # type: ignore[misc]  # noqa: N801
        """struct tc_netem_rate."""


class PoliceOptions(nla):  # type: ignore[misc]
    """The police action's attributes; the table of packet times is opaque."""

    nla_map = (
        ("TCA_POLICE_UNSPEC", "none"),
        ("TCA_POLICE_TBF", "police_tbf"),
        ("TCA_POLICE_RATE", "cdata"),
        ("TCA_POLICE_PEAKRATE", "cdata"),
        ("TCA_POLICE_AVRATE", "uint32"),
        ("TCA_POLICE_RESULT", "uint32"),
    )

    class police_tbf(nla):  # type: ignore[misc]  # noqa: N801
        """struct tc_police."""

        fields = act_police.options.police_tbf.fields


class MirredOptions(nla):  # type: ignore[misc]
    """The redirecting action's attributes."""

    nla_map = (("TCA_MIRRED_UNSPEC", "none"), ("TCA_MIRRED_TM", "hex"), ("TCA_MIRRED_PARMS", "mirred_parms"))

    class mirred_parms(nla):  # type: ignore[misc]  # noqa: N801
        """struct tc_mirred."""

        fields = act_mirred.options.tca_mirred_parms.fields


class TbfOptions(nla):  # type: ignore[misc]
    """The token bucket filter's attributes; the table of packet times is opaque."""

    nla_map = (
        ("TCA_TBF_UNSPEC", "none"),
        ("TCA_TBF_PARMS", "tbf_parms"),
        ("TCA_TBF_RTAB", "cdata"),
        ("TCA_TBF_PTAB", "cdata"),
        ("TCA_TBF_RATE64", "uint64"),
        ("TCA_TBF_PRATE64", "uint64"),
        ("TCA_TBF_BURST", "uint32"),
        ("TCA_TBF_PBURST", "uint32"),
    )

    class tbf_parms(nla):  # type: ignore[misc]  # noqa: N801
        """struct tc_tbf_qopt."""

        fields = sched_tbf.options.tbf_parms.fields


class Actions(nla):  # type: ignore[misc]
    """A list of actions, numbered from 1; ours has one, a policer or a redirection."""

    nla_map = (("TCA_ACT_TAB_UNSPEC", "none"), ("TCA_ACT_TAB_1", "action"))

    class action(nla):  # type: ignore[misc]  # noqa: N801
        """One action."""

        nla_map = (
            ("TCA_ACT_UNSPEC", "none"),
            ("TCA_ACT_KIND", "asciiz"),
            ("TCA_ACT_OPTIONS", "get_options"),
        )

        @staticmethod
        def get_options(self: Any, *_args: Any, **_kwargs: Any) -> Any:
            """The class of the options, by kind."""
            return MirredOptions if self.get_attr("TCA_ACT_KIND") == "mirred" else PoliceOptions


class MatchallOptions(nla):  # type: ignore[misc]
    """The filter that every packet matches, with its action."""

    nla_map = (
        ("TCA_MATCHALL_UNSPEC", "none"),
        ("TCA_MATCHALL_CLASSID", "uint32"),
        ("TCA_MATCHALL_ACT", "Actions"),
    )
    Actions = Actions


class ShapingMessage(tcmsg):  # type: ignore[misc]
    """A qdisc or filter, with our options in place of pyroute2's where ours know more."""

    @staticmethod
    def get_options(self: Any, *_args: Any, **_kwargs: Any) -> Any:
        """The class of the options, by kind."""
        own = {"netem": NetemOptions, "matchall": MatchallOptions, "tbf": TbfOptions}
        return own.get(self.get_attr("TCA_KIND"), self.hex)


class ActionMessage(nlmsg):  # type: ignore[misc]
    """struct tcamsg."""

    prefix = "TCA_"
    fields = (("family", "B"), ("pad1", "B"), ("pad2", "H"))
    nla_map = (("TCA_UNSPEC", "none"), ("TCA_ACT_TAB", "Actions"))
    Actions = Actions


# For `Netlink`: decode what comes back with these.
ANSWERS = {RTM_NEWQDISC: ShapingMessage, RTM_NEWTFILTER: ShapingMessage}


def set_netem(link: LinkShaping, index: int) -> nlmsg:
    """Put netem at an interface's root, or change the one there, keeping what it holds."""
    return _qdisc(RTM_NEWQDISC, index, TC_H_ROOT, NETEM_HANDLE, "netem", NLM_F_CREATE | NLM_F_REPLACE, _netem(link))


def set_gate(link: LinkShaping, index: int) -> nlmsg:
    """Put the gate at a worker's interface, or change the one there; the policer in front of it is the queue."""
    return _tbf(link, index, GATE_LIMIT_BYTES, link.super_packet_bytes + GATE_SLACK_BYTES)


def set_bucket(link: LinkShaping, index: int) -> nlmsg:
    """Put a token bucket with the link's queue at an interface, or change the one there."""
    return _tbf(link, index, bucket_limit_bytes(link), link.super_packet_bytes + bucket_slack_bytes(link))


def bucket_slack_bytes(link: LinkShaping) -> int:
    """How much deeper than a super-packet a bucket is: what the link carries while a timer is late."""
    return max(link.super_packet_bytes, math.ceil(link.rate_byte_per_s * BUCKET_S))


def bucket_limit_bytes(link: LinkShaping) -> int:
    """What a token bucket with the link's queue holds: the queue, and the super-packet that waits for tokens."""
    return link.queue_bytes + link.super_packet_bytes


def _tbf(link: LinkShaping, index: int, limit_bytes: int, burst_bytes: int) -> nlmsg:
    rate = {"rate": link.rate_byte_per_s, "rate_cell_log": RATE_TABLE_CELL_LOG, "rate___reserved": LINKLAYER_ETHERNET}
    parameters = rate | {"limit": limit_bytes}
    zeros = {name: 0 for name, _ in TbfOptions.tbf_parms.fields if name not in parameters}
    attributes: list[list[Any]] = [
        ["TCA_TBF_PARMS", parameters | zeros],
        ["TCA_TBF_RTAB", RATE_TABLE],
        ["TCA_TBF_BURST", burst_bytes],
    ]
    flags = NLM_F_CREATE | NLM_F_REPLACE
    return _qdisc(RTM_NEWQDISC, index, TC_H_ROOT, GATE_HANDLE, "tbf", flags, {"attrs": attributes})


def add_receiving_device(name: str) -> nlmsg:
    """Make the ifb device, up, through which what arrives at a link's end is led."""
    attributes = {"IFLA_IFNAME": name, "IFLA_LINKINFO": {"attrs": [["IFLA_INFO_KIND", "ifb"]]}}
    fields = {"index": 0, "flags": IFF_UP, "change": IFF_UP}
    return message(ifinfmsg, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, fields, attributes)


def add_redirection(index: int, device_index: int) -> nlmsg:
    """Lead every packet that arrives at an interface through a device's qdisc."""
    parameters = {"action": TC_ACT_STOLEN, "eaction": TCA_EGRESS_REDIR, "ifindex": device_index}
    zeros = {name: 0 for name, _ in MirredOptions.mirred_parms.fields if name not in parameters}
    options = {"attrs": [["TCA_MIRRED_PARMS", parameters | zeros]]}
    action = {"attrs": [["TCA_ACT_KIND", "mirred"], ["TCA_ACT_OPTIONS", options]]}
    matchall = {"attrs": [["TCA_MATCHALL_ACT", {"attrs": [["TCA_ACT_TAB_1", action]]}]]}
    fields = _filter_fields(index) | {"parent": CLSACT_INGRESS}
    attributes = {"TCA_KIND": "matchall", "TCA_OPTIONS": matchall}
    return message(ShapingMessage, RTM_NEWTFILTER, NLM_F_CREATE | NLM_F_EXCL, fields, attributes)


def add_classifier(index: int) -> nlmsg:
    """Add the hook in front of the qdisc."""
    flags = NLM_F_CREATE | NLM_F_EXCL
    return _qdisc(RTM_NEWQDISC, index, CLSACT_PARENT, CLSACT_HANDLE, "clsact", flags, None)


def add_policer(link: LinkShaping, index: int) -> nlmsg:
    """Pass every packet that leaves by an interface through a policer of the interface's number."""
    options = {"attrs": [["TCA_MATCHALL_ACT", _actions(link, index)]]}
    fields = _filter_fields(index)
    flags = NLM_F_CREATE | NLM_F_EXCL
    return message(ShapingMessage, RTM_NEWTFILTER, flags, fields, {"TCA_KIND": "matchall", "TCA_OPTIONS": options})


def set_policer(link: LinkShaping, index: int) -> nlmsg:
    """Change the policer of an interface's number in place; its queue is empty afterwards."""
    flags = NLM_F_CREATE | NLM_F_REPLACE
    return message(ActionMessage, RTM_NEWACTION, flags, {"family": 0}, {"TCA_ACT_TAB": _actions(link, index)})


def set_super_packets(link: LinkShaping, index: int) -> nlmsg:
    """Limit the frames that TCP puts into one super-packet on an interface."""
    return message(ifinfmsg, RTM_NEWLINK, 0, {"index": index}, {"IFLA_GSO_MAX_SEGS": link.segments})


def get_qdiscs() -> nlmsg:
    """Ask for all qdiscs of a namespace (a dump)."""
    return message(ShapingMessage, RTM_GETQDISC, 0, {"family": 0}, {})


def get_policer(index: int) -> nlmsg:
    """Ask for the filter of an interface's egress, with its policer."""
    return message(ShapingMessage, RTM_GETTFILTER, 0, _filter_fields(index), {"TCA_KIND": "matchall"})


def remove_classifier(index: int) -> nlmsg:
    """Remove the hook in front of the qdisc, with filter and policer."""
    return _qdisc(RTM_DELQDISC, index, CLSACT_PARENT, CLSACT_HANDLE, "clsact", 0, None)


def remove_netem(index: int) -> nlmsg:
    """Remove netem; the interface is unshaped."""
    return _qdisc(RTM_DELQDISC, index, TC_H_ROOT, NETEM_HANDLE, "netem", 0, None)


def remove_gate(index: int) -> nlmsg:
    """Remove a worker's gate."""
    return _qdisc(RTM_DELQDISC, index, TC_H_ROOT, GATE_HANDLE, "tbf", 0, None)


def remove_device(index: int) -> nlmsg:
    """Remove a receiving device, with its netem."""
    return message(ifinfmsg, RTM_DELLINK, 0, {"index": index}, {})


def normal_distribution() -> bytes:
    """netem's table of a normal distribution: quantiles at equal steps of probability, 16 bits each.

    netem's own default is uniform, whose standard deviation is not what it is told.
    """
    steps = (np.arange(DISTRIBUTION_ENTRIES) + 0.5) / DISTRIBUTION_ENTRIES
    quantiles = norm.ppf(steps)
    assert quantiles[-1] < LARGEST_DEVIATION
    table: bytes = np.rint(quantiles * DISTRIBUTION_SCALE).astype("<i2").tobytes()
    return table


def _qdisc(
    type_: int, index: int, parent: int, handle: int, kind: str, flags: int, options: dict[str, Any] | None
) -> nlmsg:
    fields = {"index": index, "parent": parent, "handle": handle}
    attributes: dict[str, Any] = {"TCA_KIND": kind}
    if options is not None:
        attributes["TCA_OPTIONS"] = options
    return message(ShapingMessage, type_, flags, fields, attributes)


def _filter_fields(index: int) -> dict[str, int]:
    return {
        "index": index,
        "parent": CLSACT_EGRESS,
        "handle": FILTER_HANDLE,
        "info": ALL_PROTOCOLS_FIRST_PRIORITY,
    }


def _netem(link: LinkShaping) -> dict[str, Any]:
    attributes: list[list[Any]] = [
        ["TCA_NETEM_RATE", {"rate": link.rate_byte_per_s, "packet_overhead": 0, "cell_size": 0, "cell_overhead": 0}],
        ["TCA_NETEM_LATENCY64", link.delay_ns],
        ["TCA_NETEM_JITTER64", link.jitter_ns],
        ["TCA_NETEM_PRNG_SEED", link.seed],
    ]
    if link.jitter_ns > 0:
        attributes.append(["TCA_NETEM_DELAY_DIST", normal_distribution()])
    # The fields `delay` and `jitter` count 64 ns and give way to the 64-bit attributes.
    return {
        "delay": 0,
        "limit": NETEM_PACKET_LIMIT,
        "loss": link.loss_u32,
        "gap": 0,
        "duplicate": 0,
        "jitter": 0,
        "attrs": attributes,
    }


def _actions(link: LinkShaping, index: int) -> dict[str, Any]:
    bucket = {
        "index": index,
        "action": TC_ACT_SHOT,
        "limit": 0,
        "burst": link.queue_ticks,
        "mtu": LARGEST_U32,
        "rate_cell_log": RATE_TABLE_CELL_LOG,
        "rate___reserved": LINKLAYER_ETHERNET,
        "rate": link.rate_byte_per_s,
    }
    zeros = {name: 0 for name, _ in PoliceOptions.police_tbf.fields if name not in bucket}
    options = [
        ["TCA_POLICE_TBF", bucket | zeros],
        ["TCA_POLICE_RATE", RATE_TABLE],
        ["TCA_POLICE_RESULT", TC_ACT_OK],
    ]
    police = {"attrs": [["TCA_ACT_KIND", "police"], ["TCA_ACT_OPTIONS", {"attrs": options}]]}
    return {"attrs": [["TCA_ACT_TAB_1", police]]}
