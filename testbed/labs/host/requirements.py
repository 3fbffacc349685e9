"""What the host lab needs of a machine: one list, each entry really tried in namespaces that are thrown away.

The lab's own refusal and `gradwire doctor` both read it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from testbed.labs.host.process import ISOLATION

TRY_WITHIN_S = 20.0
UNTRIED = "only root can try it"
_OTHER = "use lab virtual, or a kernel that has it"
_PAIR = "ip link add gw0-try type veth peer name gw0-peer"


class Role(StrEnum):
    """What becomes of the lab where a need is not met."""

    REQUIRED = "required"  # there is no lab
    NETEM = "netem"  # delays are not made by netem
    NFQUEUE = "nfqueue"  # delays are not made by NFQUEUE
    USEFUL = "useful"  # the lab is less exact
    UNUSED = "unused"  # nothing: no part of the lab uses it


BACKENDS = (Role.NETEM, Role.NFQUEUE)  # ways to delay packets, the more exact first; one of them must be there


@dataclass(frozen=True, kw_only=True)
class Need:
    """Something that a machine has or lacks. `lack` tries it: None where it is there, else why not."""

    name: str
    lack: Callable[[], str | None]
    remedy: str
    role: Role = Role.REQUIRED
    as_root: bool = False  # whether only root can try it


def _root() -> str | None:
    return None if os.geteuid() == 0 else f"you are user {os.geteuid()}"


def _programs(packages: Mapping[str, str], role: Role = Role.REQUIRED) -> Need:
    """Programs, each with the Debian package that has it."""

    def lack() -> str | None:
        absent = [name for name in packages if shutil.which(name) is None]
        return f"not on PATH: {', '.join(absent)}" if absent else None

    return Need(
        name=f"programs {', '.join(packages)}",
        lack=lack,
        remedy=f"install the Debian packages {', '.join(sorted(set(packages.values())))}",
        role=role,
    )


def _kernel(name: str, words: str, role: Role = Role.REQUIRED, remedy: str = _OTHER) -> Need:
    """A need that a shell's words try, in network, process and mount namespaces of their own."""
    return Need(name=name, lack=lambda: refusal(words), remedy=remedy, role=role, as_root=True)


def refusal(words: str) -> str | None:
    """What the kernel says against a shell's words in new namespaces; None where it does not mind."""
    try:
        tried = subprocess.run(
            [*ISOLATION, "sh", "-c", words],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=TRY_WITHIN_S,
        )
    except OSError as error:
        return f"{error.filename}: {error.strerror}"
    except subprocess.TimeoutExpired:
        return f"no answer within {TRY_WITHIN_S:g} s"
    if tried.returncode == 0:
        return None
    return " ".join(tried.stderr.split()) or "no reason was given"


_MANGLE = "-A PREROUTING -i gw0-try -j NFQUEUE --queue-num 0"

NEEDS: tuple[Need, ...] = (
    Need(name="root", lack=_root, remedy="use sudo, or lab virtual, which needs no root"),
    _programs({"unshare": "util-linux", "setpriv": "util-linux", "mount": "mount", "ip": "iproute2", "tc": "iproute2"}),
    _kernel("network and process namespaces", "true", remedy="use lab virtual; a container needs --privileged"),
    _kernel("veth pairs", _PAIR),
    _kernel("bridges", "ip link add gw0-try type bridge"),
    _kernel("token buckets (sch_tbf)", f"{_PAIR} && tc qdisc add dev gw0-try root tbf rate 1mbit burst 9k limit 9k"),
    _kernel(
        "delays in the kernel (sch_netem)",
        f"{_PAIR} && tc qdisc add dev gw0-try root netem delay 1ms rate 1mbit limit 100",
        Role.NETEM,
    ),
    # Loaded unasked, the module makes two devices in the machine's own network, which nobody would take away.
    _kernel(
        "devices behind a link (ifb)",
        "modprobe --quiet ifb numifbs=0 2>/dev/null; ip link add gw0-try type ifb",
        Role.NETEM,
    ),
    _kernel(
        "queues in bytes (clsact, matchall, police)",
        f"{_PAIR} && tc qdisc add dev gw0-try clsact && "
        "tc filter add dev gw0-try egress matchall action police rate 1mbit burst 9k conform-exceed drop/continue",
        Role.NETEM,
    ),
    _kernel(
        "redirection (mirred)",
        f"{_PAIR} && tc qdisc add dev gw0-try clsact && "
        "tc filter add dev gw0-try ingress matchall action mirred egress redirect dev gw0-peer",
        Role.NETEM,
    ),
    _programs({"iptables-legacy-restore": "iptables"}, Role.NFQUEUE),
    _kernel(
        "netfilter queues (xt_NFQUEUE in the table mangle)",
        f"{_PAIR} && printf '%s\\n' '*mangle' '{_MANGLE}' COMMIT | iptables-legacy-restore --noflush",
        Role.NFQUEUE,
    ),
    _kernel(
        "real-time priority",
        "chrt --fifo 1 true",
        Role.USEFUL,
        "packets leave later when the machine is busy: allow it (kernel.sched_rt_runtime_us above 0; for a container "
        "--cap-add SYS_NICE)",
    ),
    _kernel(
        "hierarchical buckets (sch_htb)", f"{_PAIR} && tc qdisc add dev gw0-try root htb default 1", Role.UNUSED, ""
    ),
)

Lacks = Mapping[str, str]  # by a need's name, why it is not met


def lacks(needs: Sequence[Need] = NEEDS) -> Lacks:
    """Try every need. What only root can try is `UNTRIED` where the user is somebody else."""
    root = os.geteuid() == 0
    tried = {need.name: UNTRIED if need.as_root and not root else need.lack() for need in needs}
    return {name: lack for name, lack in tried.items() if lack is not None}


def backend(found: Lacks, needs: Sequence[Need] = NEEDS) -> Role | None:
    """The way in which the lab delays packets here, of `BACKENDS`; None where none is possible."""
    lacking = {need.role for need in needs if need.name in found}
    return next((way for way in BACKENDS if way not in lacking), None)


def missing(found: Lacks, needs: Sequence[Need] = NEEDS) -> str | None:
    """What this machine lacks for the host lab, with what to do; None where it lacks nothing."""
    for need in needs:
        if need.role is Role.REQUIRED and need.name in found:
            return f"lab host needs {need.name} ({found[need.name]}): {need.remedy}"
    if backend(found, needs) is None:
        firsts = [next(need for need in needs if need.role is way and need.name in found) for way in BACKENDS]
        reasons = "; ".join(f"{need.name}: {found[need.name]}" for need in firsts)
        return f"lab host needs a way to delay packets ({reasons}): {_OTHER}"
    return None
