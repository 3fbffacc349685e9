"""The netlink requests that give a node its addresses, routes and static neighbours."""

from __future__ import annotations

import socket
from collections.abc import Callable

from pyroute2.netlink import NLM_F_CREATE, NLM_F_REPLACE, nlmsg
from pyroute2.netlink.rtnl import RTM_GETLINK, RTM_NEWADDR, RTM_NEWLINK, RTM_NEWNEIGH, RTM_NEWROUTE
from pyroute2.netlink.rtnl.ifaddrmsg import ifaddrmsg
from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg
from pyroute2.netlink.rtnl.ndmsg import NTF_MASTER, NUD_NOARP, NUD_PERMANENT, ndmsg
from pyroute2.netlink.rtnl.rtmsg import rtmsg

from topologies.addressing import (
    Address,
    Forwarding,
    Neighbour,
    Route,
    address,
    forwarding,
    neighbours,
    peer_device,
    routes,
)
from topologies.namespace import message
from topologies.wiring import Wiring

IFF_UP = 1
SKIP_STATISTICS = 8  # RTEXT_FILTER_SKIP_STATS
RTNH_F_ONLINK = 4  # the gateway is at the link's other end although no address of ours says so
RT_TABLE_MAIN = 254
RTPROT_STATIC = 4
RTN_UNICAST = 1

Index = Callable[[str], int]  # interface name -> the kernel's number


def worker_requests(wiring: Wiring, rank: int, index: Index) -> list[nlmsg]:
    """All that a worker's namespace needs, in an order in which the kernel takes it."""
    own = address(wiring, rank)
    interfaces = ["lo", *(end.interface for end in wiring.ends_of(wiring.workers[rank]))]
    if own.interface not in interfaces:
        interfaces += [own.interface, peer_device(own.interface)]
    return [
        _address(own, index),
        *(_up(interface, index) for interface in interfaces),
        *(_neighbour(entry, index) for entry in neighbours(wiring, rank)),
        *(_route(route, index) for route in routes(wiring, rank)),
    ]


def bridge_requests(wiring: Wiring, switch: str, index: Index) -> list[nlmsg]:
    """Ports, forwarding entries and link states of a bridge, whose device is named as its node."""
    ports = [end.interface for end in wiring.ends_of(switch)]
    return [
        *(_up(port, index, IFLA_MASTER=index(switch)) for port in ports),
        _up("lo", index),
        _up(switch, index),
        *(_forwarding(entry, index) for entry in forwarding(wiring, switch)),
    ]


def get_link(index: int) -> nlmsg:
    """Ask for an interface, without statistics."""
    return message(ifinfmsg, RTM_GETLINK, 0, {"index": index}, {"IFLA_EXT_MASK": SKIP_STATISTICS})


def barrier_request(index: Index) -> nlmsg:
    """A change that changes nothing, and is made after all that the kernel has begun before."""
    return _up("lo", index)


def _up(interface: str, index: Index, **attributes: int) -> nlmsg:
    state = {"index": index(interface), "flags": IFF_UP, "change": IFF_UP}
    return message(ifinfmsg, RTM_NEWLINK, 0, state, attributes)


def _address(entry: Address, index: Index) -> nlmsg:
    fields = {
        "family": socket.AF_INET,
        "prefixlen": entry.prefix_length,
        "index": index(entry.interface),
    }
    return message(ifaddrmsg, RTM_NEWADDR, NLM_F_CREATE, fields, {"IFA_LOCAL": entry.ip, "IFA_ADDRESS": entry.ip})


def _route(route: Route, index: Index) -> nlmsg:
    fields = {
        "family": socket.AF_INET,
        "dst_len": 32,
        "table": RT_TABLE_MAIN,
        "proto": RTPROT_STATIC,
        "type": RTN_UNICAST,
        "flags": RTNH_F_ONLINK,
    }
    attributes = {
        "RTA_DST": route.target,
        "RTA_GATEWAY": route.via,
        "RTA_OIF": index(route.interface),
        "RTA_PREFSRC": route.source,
    }
    return message(rtmsg, RTM_NEWROUTE, NLM_F_CREATE, fields, attributes)


def _neighbour(entry: Neighbour, index: Index) -> nlmsg:
    fields = {"family": socket.AF_INET, "ifindex": index(entry.interface), "state": NUD_PERMANENT}
    attributes = {"NDA_DST": entry.ip, "NDA_LLADDR": entry.mac}
    return message(ndmsg, RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, fields, attributes)


def _forwarding(entry: Forwarding, index: Index) -> nlmsg:
    fields = {
        "family": socket.AF_BRIDGE,
        "ifindex": index(entry.interface),
        "state": NUD_NOARP,  # a bridge's word for: not learnt, does not age
        "flags": NTF_MASTER,
    }
    return message(ndmsg, RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, fields, {"NDA_LLADDR": entry.mac})
