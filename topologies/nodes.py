"""Mininet's nodes and links, with the slow parts replaced: nothing is configured through a shell.

Mininet waits for every node's shell in turn and starts a process for every interface, address and neighbour; at 32
workers that is more than two thousand processes. Here shells start side by side and are waited for at first use, and
the kernel is asked through netlink, which also reports errors that `ifconfig` in a shell swallows.
"""

from __future__ import annotations

import os
import pty
import select
from typing import Any

from mininet.link import Intf, Link
from mininet.node import Host, Node
from mininet.nodelib import LinuxBridge
from pyroute2.netlink.exceptions import NetlinkError

from testbed.errors import LabError
from topologies.namespace import Netlink

PROMPT = chr(127)  # Mininet's: ends each command's output
STARTED = "\n"  # mnexec -p ends the process id with it, once it is in its own namespace


class PatientNode(Node):  # type: ignore[misc]  # Mininet has no types
    """A node whose shell is waited for when it is first needed, not when it is started."""

    _netlink: Netlink | None = None

    @property
    def namespace_descriptor(self) -> int | None:
        """The network namespace that the node's shell enters; None: it makes one of its own."""
        return None

    def startShell(self, mnopts: str | None = None) -> None:  # noqa: N802
        """Start the shell in the node's namespace, and return at once."""
        namespace = self.namespace_descriptor
        entering = [] if namespace is None else ["-f", str(namespace)]
        options = (mnopts or "-cd") + ("np" if self.inNamespace and namespace is None else "p")
        command = ["mnexec", *entering, options, "env", f"PS1={PROMPT}", "bash", "--norc", "--noediting"]
        self.master, self.slave = pty.openpty()
        self.shell = self._popen(
            [*command, "-is", f"mininet:{self.name}"],
            stdin=self.slave,
            stdout=self.slave,
            stderr=self.slave,
            close_fds=namespace is not None,
            pass_fds=() if namespace is None else (namespace,),
        )
        self.stdin = self.stdout = os.fdopen(self.master, "r")
        self.pid = self.shell.pid
        self.pollOut = select.poll()
        self.pollOut.register(self.stdout)
        self.outToNode[self.stdout.fileno()] = self
        self.inToNode[self.stdin.fileno()] = self
        self.execed = False
        self.waiting = False
        self.prompted = False

    def await_namespace(self) -> None:
        """Wait until the node's process is in its own namespace.

        Raises:
            LabError: it ended instead; mostly for lack of privileges.
        """
        said = ""
        while STARTED not in said:
            try:
                said += os.read(self.stdout.fileno(), 1024).decode(errors="replace")
            except OSError as error:
                self.shell.wait()
                raise LabError(f"the namespace of {self.name} was not made: {said.strip() or error}") from error
        if not said.startswith("\x01"):
            raise LabError(f"the namespace of {self.name} was not made: {said.strip()}")
        self.readbuf = said.partition(STARTED)[2]

    def sendCmd(self, *args: Any, **kwargs: Any) -> None:  # noqa: N802
        """Send a command to the shell, waiting for the shell before the first."""
        if not self.prompted:
            self.prompted = True
            self._await_prompt()
            super().sendCmd("unset HISTFILE; stty -echo; set +m")
            self.waitOutput()
        super().sendCmd(*args, **kwargs)

    def config(self, **_params: Any) -> dict[str, Any]:
        """Nothing: `topologies.network` configures all nodes from the wiring."""
        return {}

    @property
    def netlink(self) -> Netlink:
        """A netlink socket in the node's namespace, opened when first asked for."""
        if self._netlink is None:
            self._netlink = Netlink(self.pid, self.name)
        return self._netlink

    def terminate(self) -> None:
        """End the shell, and with it the namespace and everything in it."""
        if self._netlink is not None:
            self._netlink.close()
            self._netlink = None
        super().terminate()

    def _await_prompt(self) -> None:
        while not self.readbuf.endswith(PROMPT):
            self.pollOut.poll()
            self.readbuf += self.decoder.decode(os.read(self.stdout.fileno(), 1024))
        self.readbuf = ""


class WorkerHost(PatientNode, Host):  # type: ignore[misc]
    """A worker's host."""


class Bridge(PatientNode, LinuxBridge):  # type: ignore[misc]
    """A Linux bridge in a namespace of its own, where no firewall of the machine sees its packets. No STP."""

    @classmethod
    def setup(cls) -> None:
        """Nothing: brctl is not used, and the machine's bridge firewalling does not reach a new namespace."""

    def start(self, controllers: Any) -> None:
        """Nothing: `topologies.network` makes the bridge device together with its ports."""

    def stop(self, deleteIntfs: bool = True) -> None:
        """Nothing: the bridge ends with its namespace, in `terminate`."""


class QuietInterface(Intf):  # type: ignore[misc]
    """An interface that `topologies.network` configures."""

    def config(self, **_params: Any) -> dict[str, Any]:
        """Nothing."""
        return {}


class VethLink(Link):  # type: ignore[misc]
    """A veth pair, each end made inside its node's namespace, so that the machine never sees it."""

    @classmethod
    def makeIntfPair(  # noqa: N802
        cls,
        intfname1: str,
        intfname2: str,
        addr1: str | None = None,
        addr2: str | None = None,
        node1: Any = None,
        node2: Any = None,
        deleteIntfs: bool = True,  # noqa: ARG003
    ) -> None:
        """Make the pair with one request.

        Raises:
            LabError: the kernel refuses.
        """
        peer = {"ifname": intfname2, "net_ns_pid": node2.pid, "address": addr2}
        own = {"ifname": intfname1, "index": _index(addr1), "address": addr1}
        try:
            node1.netlink.route.link("add", kind="veth", peer=peer, **own)
        except NetlinkError as error:
            raise LabError(f"link {intfname1} - {intfname2} cannot be made: {error}") from error

    def stop(self) -> None:
        """Nothing: links end with the namespaces of their ends."""


def _index(mac: str | None) -> int | None:
    """An interface number that the other end cannot have.

    Numbers count from 1 in each namespace. Where both ends of a veth pair have the same number, the kernel takes the
    carrier's appearing for something that can wait, and a bridge drops packets for up to a second.
    """
    if mac is None:
        return None
    node, port = (int(part, 16) for part in mac.split(":")[-2:])
    return 2048 + 64 * (node * 64 + port)  # the kernel counts on from here, and no node has 64 interfaces
