"""What the host lab needs of a machine, each really tried in namespaces that are thrown away."""

from __future__ import annotations

import os
import shutil
import subprocess

from testbed.labs.host.process import ISOLATION

PROGRAMS = {  # with the Debian packages that have them
    "unshare": "util-linux",
    "setpriv": "util-linux",
    "mount": "mount",
    "ip": "iproute2",
    "tc": "iproute2",
    "iptables-legacy-restore": "iptables",
}

# What is tried, by the words that name it where it fails.
TRIALS = {
    "network and process namespaces": "true",
    "veth pairs": "ip link add gw0-try type veth peer name gw0-peer",
    "the token bucket (sch_tbf)": "ip link add gw0-try type veth peer name gw0-peer && "
    "tc qdisc add dev gw0-try root tbf rate 1mbit burst 9k limit 9k",
    "netfilter queues (xt_NFQUEUE in the table mangle)": "printf '%s\\n' '*mangle' "
    "'-A PREROUTING -i gw0-try -j NFQUEUE --queue-num 0' COMMIT | iptables-legacy-restore --noflush",
}


def missing() -> str | None:
    """What this machine lacks for the host lab, with what to do; None where it lacks nothing."""
    if os.geteuid() != 0:
        return "lab host needs root, for network namespaces and exact delays; use lab virtual, or sudo"
    for program, package in PROGRAMS.items():
        if shutil.which(program) is None:
            return f"lab host needs the program {program}: install the Debian package {package}"
    for what, words in TRIALS.items():
        tried = subprocess.run([*ISOLATION, "sh", "-c", words], capture_output=True, text=True, check=False)
        if tried.returncode != 0:
            said = " ".join(tried.stderr.split()) or "no reason was given"
            return f"lab host needs {what}, which this machine refuses ({said}); use lab virtual"
    return None
