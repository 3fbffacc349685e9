"""Doing things inside another process's network namespace, and talking route netlink there."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from pyroute2 import IPRoute, netns
from pyroute2.netlink import NLM_F_ACK, NLM_F_DUMP, NLM_F_REQUEST, nlmsg
from pyroute2.netlink.exceptions import NetlinkError

from testbed.errors import LabError

BATCH = 128  # requests in one write: their answers stay within the socket's receive buffer


@contextmanager
def inside(pid: int) -> Iterator[None]:
    """Run the calling thread in the network namespace of process `pid`; sockets made there stay there.

    Raises:
        LabError: the process is gone, or entering needs privileges that the caller has not.
    """
    here = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        try:
            there = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
            try:
                netns.setns(there)
            finally:
                os.close(there)
        except OSError as error:
            raise LabError(f"the network namespace of process {pid} cannot be entered: {error}") from error
        try:
            yield
        finally:
            netns.setns(here)
    finally:
        os.close(here)


def message(
    kind: type[nlmsg], type_: int, flags: int, fields: Mapping[str, Any], attributes: Mapping[str, Any]
) -> nlmsg:
    """A netlink request of pyroute2's class `kind`, not yet sent."""
    request = kind()
    request["header"]["type"] = type_
    request["header"]["flags"] = NLM_F_REQUEST | flags
    for name, value in fields.items():
        request[name] = value
    request["attrs"] = list(attributes.items())
    return request


class Netlink:
    """A route-netlink socket in the network namespace of a process. Requests go out in batches.

    pyroute2's own `netns=` argument opens the socket in a child process, which costs 50 times as much as entering
    the namespace in this thread for the time of the opening.
    """

    def __init__(self, pid: int, node: str, answers: Mapping[int, type[nlmsg]] | None = None) -> None:
        """`answers`: classes that decode answers of a type, where pyroute2's own lack attributes."""
        self.pid = pid
        self.node = node
        self._indices: dict[str, int] = {}
        with inside(pid):
            self.route = IPRoute(groups=0)  # no notifications: nobody would read them
        if answers:
            marshal = self.route.asyncore.marshal
            marshal.msg_map = {**marshal.msg_map, **answers}

    def index(self, interface: str) -> int:
        """Kernel's number of an interface of the namespace.

        Raises:
            LabError: there is no such interface; it was removed by someone else.
        """
        if interface not in self._indices:
            with inside(self.pid):
                try:
                    self._indices[interface] = socket.if_nametoindex(interface)
                except OSError as error:
                    raise LabError(f"interface {interface} of {self.node} does not exist") from error
        return self._indices[interface]

    def forget(self, interface: str) -> None:
        """Forget the number of an interface that was removed."""
        self._indices.pop(interface, None)

    def send(self, requests: Sequence[nlmsg], doing: str) -> None:
        """Send changes and wait until the kernel has made all of them; `doing` says what they are, for errors."""
        for request in requests:
            request["header"]["flags"] |= NLM_F_ACK
        for first in range(0, len(requests), BATCH):
            self._exchange(requests[first : first + BATCH], doing)

    def get(self, requests: Sequence[nlmsg], doing: str) -> list[Any]:
        """Ask for single objects, one per request; return them in order."""
        for request in requests:
            request["header"]["flags"] |= NLM_F_ACK
        answers = self._exchange(requests, doing)
        return [answer for answer in answers if answer["header"]["type"] > 3]  # without acknowledgements

    def dump(self, request: nlmsg, doing: str) -> list[Any]:
        """Ask for all objects of a kind."""
        request["header"]["flags"] |= NLM_F_DUMP
        return self._exchange([request], doing)

    def close(self) -> None:
        """Close the socket; the namespace is none of this class's business."""
        self.route.close()

    def _exchange(self, requests: Sequence[nlmsg], doing: str) -> list[Any]:
        try:
            answers: list[Any] = self.route.nlm_request_batch(requests)
        except (NetlinkError, OSError) as error:
            raise LabError(f"{doing} failed on {self.node}: {error}") from error
        return answers
