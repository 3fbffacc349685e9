"""Checks of topologies and shaping that need root in a kernel with netem, police, matchall and clsact.

Run inside a guest of the virtual lab (or as root on a kernel that has them), with `mnexec` on PATH:

    python -m tests.shaping.in_guest [NAME...]

Each `check_*` raises AssertionError; the exit status is the number of failures. They make their own networks and
leave nothing behind. In virtual time, widen the kernel's net.ipv4.tcp_mem first: a small guest's default is below what
fast long links hold.
"""

import socket
import statistics
import subprocess
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

from shaping import probe
from shaping.plan import FRAME_BYTES, LinkShaping, plan
from shaping.schedule import scheduled
from shaping.shaper import Shaper
from testbed.cell import Change, Network
from testbed.errors import LabError
from topologies import make, network
from topologies.addressing import worker_ip
from topologies.namespace import inside

IP_RECVTTL = 12  # linux/in.h
UDP_HEADERS_BYTES = 42  # Ethernet, IPv4, UDP
DATAGRAM = bytes(1000 - UDP_HEADERS_BYTES)  # 1000 bytes on the wire


def settings(**changes: Any) -> Network:
    values: dict[str, Any] = {
        "topology": "star",
        "workers": 3,
        "bandwidth_bit_per_s": 10e6,
        "latency_s": 1e-3,
        "queue_bytes": 100_000,
    }
    return Network(**values | changes)


@contextmanager
def shaped(net: Network) -> Iterator[tuple[network.RunningNetwork, Shaper, tuple[LinkShaping, ...]]]:
    """A running network with that shaping: (running network, shaper, plan)."""
    with ExitStack() as stack:
        topology = make(net.topology, workers=net.workers, arity=net.arity)
        running = network.start(topology)
        stack.callback(running.stop)
        nodes = running.wiring.workers + running.wiring.switches
        shaper = stack.enter_context(Shaper({node: running.pid(node) for node in nodes}))
        links = plan(net, running.wiring)
        shaper.apply(links)
        shaper.read_back(links)
        yield running, shaper, links


@contextmanager
def sockets(
    running: network.RunningNetwork, source: int, target: int, kind: int = socket.SOCK_DGRAM
) -> Iterator[list[socket.socket]]:
    """A socket in each of two workers, the target's bound."""
    with ExitStack() as stack:
        ends = []
        for rank in (source, target):
            with inside(running.worker_pids[rank]):
                ends.append(stack.enter_context(socket.socket(socket.AF_INET, kind)))
        ends[1].bind((worker_ip(target), 0))
        ends[1].setsockopt(socket.SOL_SOCKET, 33, 16 * 2**20)  # SO_RCVBUFFORCE: the links are to drop, not we
        ends[0].setsockopt(socket.SOL_SOCKET, 32, 16 * 2**20)  # SO_SNDBUFFORCE
        yield ends


def arrivals(receiver: socket.socket, silence_s: float = 1.0) -> list[float]:
    """Times at which datagrams arrive, until none does for a while."""
    receiver.settimeout(silence_s)
    times = []
    try:
        while True:
            receiver.recv(FRAME_BYTES)
            times.append(time.monotonic())
    except TimeoutError:
        return times


def accepted_by_byte_queue(sizes_and_times: list[tuple[int, float]], queue_bytes: int, rate_byte_per_s: float) -> int:
    """Reference: how many packets a drop-tail queue of bytes takes, drained at a constant rate."""
    held, last, accepted = 0.0, 0.0, 0
    for size, now in sizes_and_times:
        held = max(0.0, held - (now - last) * rate_byte_per_s)
        last = now
        if held + size <= queue_bytes:
            held += size
            accepted += 1
    return accepted


def send_all(sender: socket.socket, count: int, pause_s: float = 0.0) -> list[tuple[int, float]]:
    """Send datagrams; return sizes on the wire and times."""
    sent = []
    for _ in range(count):
        try:
            sender.send(DATAGRAM)
        except OSError as error:  # a policer's drop is reported to the sender of its own host as ENOBUFS
            assert error.errno == 105, error
        sent.append((1000, time.monotonic()))
        if pause_s:
            time.sleep(pause_s)
    return sent


def check_burst_fills_the_queue_to_the_packet():
    with shaped(settings()) as (running, _, _), sockets(running, 0, 1) as (sender, receiver):
        sender.connect(receiver.getsockname())
        sent = send_all(sender, 300)
        passed = len(arrivals(receiver))
    expected = accepted_by_byte_queue(sent, 100_000, 10e6 / 8)
    assert expected >= 100  # the queue, and what drained meanwhile
    assert abs(passed - expected) <= 1, (passed, expected)


def check_overload_drops_as_a_byte_queue_does():
    with shaped(settings()) as (running, _, _), sockets(running, 0, 1) as (sender, receiver):
        sender.connect(receiver.getsockname())
        receiver.setblocking(False)
        sent = send_all(sender, 1000, pause_s=400e-6)  # twice the rate
        passed = len(arrivals(receiver))
    expected = accepted_by_byte_queue(sent, 100_000, 10e6 / 8)
    assert 500 < expected < 700, expected
    assert abs(passed - expected) <= 1, (passed, expected)


def check_packets_in_the_delay_do_not_fill_the_queue():
    # 20 ms x 10 Mbit/s = 25 kB per link are on the way; the queue has room for three packets.
    net = settings(latency_s=80e-3, queue_bytes=3 * FRAME_BYTES)
    with shaped(net) as (running, _, _), sockets(running, 0, 1) as (sender, receiver):
        sender.connect(receiver.getsockname())
        send_all(sender, 200, pause_s=810e-6)  # just below the rate
        passed = len(arrivals(receiver))
    assert passed == 200, passed


def check_no_credit_after_idle():
    with shaped(settings()) as (running, _, _), sockets(running, 0, 1) as (sender, receiver):
        sender.connect(receiver.getsockname())
        time.sleep(5)
        send_all(sender, 50)
        times = arrivals(receiver)
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert abs(min(gaps) - 800e-6) < 5e-6, min(gaps)
    assert abs(max(gaps) - 800e-6) < 5e-6, max(gaps)


def check_loss_and_jitter():
    net = settings(loss=0.05, jitter_s=100e-6, latency_s=10e-3)
    with shaped(net) as (running, _, _), sockets(running, 0, 1) as (sender, receiver):
        sender.connect(receiver.getsockname())
        times, lost = [], 0
        receiver.settimeout(0.1)
        for _ in range(1500):
            begun = time.monotonic()
            sender.send(DATAGRAM)
            try:
                receiver.recv(FRAME_BYTES)
                times.append(time.monotonic() - begun)
            except TimeoutError:
                lost += 1
    expected_loss = 1 - 0.95**2  # two links
    spread = (expected_loss * (1 - expected_loss) / 1500) ** 0.5
    assert abs(lost / 1500 - expected_loss) < 4 * spread, lost
    # A round trip's variance is that of four links, one way's that of two.
    assert abs(statistics.stdev(times) / (100e-6 / 2**0.5) - 1) < 0.1, statistics.stdev(times)
    assert abs(statistics.fmean(times) - (5e-3 + 2 * 800e-6)) < 15e-6, statistics.fmean(times)


def check_read_back_sees_a_foreign_change():
    with shaped(settings()) as (running, shaper, links):
        end = links[0].end
        command = f"tc qdisc change dev {end.interface} root netem rate 11mbit delay 250us limit 1000"
        said = running.mininet[end.node].cmd(command)
        assert not said.strip(), said
        try:
            shaper.read_back(links)
        except LabError as error:
            assert end.interface in str(error), error
        else:
            raise AssertionError("a changed rate was not noticed")


def check_reshaping_keeps_connections_and_resizes_their_super_packets():
    fast = settings(bandwidth_bit_per_s=10e9, queue_bytes=2**20)
    with shaped(fast) as (running, shaper, _), sockets(running, 0, 1, socket.SOCK_STREAM) as (sender, listener):
        listener.listen(1)
        sender.connect(listener.getsockname())
        receiver, _ = listener.accept()
        with receiver:
            many = transmitted_packets(running, sender, receiver)
            slow = plan(settings(queue_bytes=2**20), running.wiring)
            shaper.apply(slow)
            shaper.read_back(slow)
            each = transmitted_packets(running, sender, receiver)
            shaper.drain(within_s=5)
    assert many < 100, many  # 1 MB in super-packets
    assert each >= 2**20 // 1448, each  # in single frames


def transmitted_packets(running: network.RunningNetwork, sender: socket.socket, receiver: socket.socket) -> int:
    """Packets that worker 0 transmits for a mebibyte."""
    counter = (
        f"cat /sys/class/net/{running.wiring.ends_of(running.wiring.workers[0])[0].interface}/statistics/tx_packets"
    )
    host = running.mininet[running.wiring.workers[0]]
    before = int(host.cmd(counter))
    left = 2**20
    sender.setblocking(True)
    while left:
        left -= sender.send(bytes(min(left, 2**16)))
    got = 0
    receiver.settimeout(10)
    while got < 2**20:
        got += len(receiver.recv(2**20))
    return int(host.cmd(counter)) - before


def check_changes_hold_from_then_on_and_losses_are_counted():
    net = settings(queue_bytes=2**20)
    schedule = (Change(at_s=0.0, bandwidth_bit_per_s=5e6), Change(at_s=1.0, worker=1, down_s=1.0))
    with shaped(net) as (running, shaper, _):
        slower, down, up = (moment.plan for moment in scheduled(net, schedule, running.wiring).moments)
        assert gaps(running, 1) == [800e-6] * 29
        for links, to_first, to_second in (
            (slower, [1600e-6] * 29, [1600e-6] * 29),
            (down, [], [1600e-6] * 29),
            (up, [1600e-6] * 29, [1600e-6] * 29),
        ):
            shaper.change(links)
            shaper.read_back(links)
            assert (gaps(running, 1), gaps(running, 2)) == (to_first, to_second), links[0]
        assert shaper.report() == {"backend": "netem", "dropped": 30}
        shaper.drain(within_s=1)
        shaper.apply(plan(net, running.wiring))
        assert shaper.report()["dropped"] == 0
        assert gaps(running, 1) == [800e-6] * 29


def gaps(running: network.RunningNetwork, target: int) -> list[float]:
    """Seconds between the arrivals of 30 datagrams of worker 0, to ten microseconds."""
    with sockets(running, 0, target) as (sender, receiver):
        sender.connect(receiver.getsockname())
        send_all(sender, 30)
        times = arrivals(receiver)
    return [round(later - earlier, 5) for earlier, later in pairwise(times)]


def check_every_pair_reaches_over_its_path():
    for name, workers, arity in (("star", 5, None), ("ring", 3, None), ("ring", 6, None), ("tree", 7, 2)):
        running = network.start(make(name, workers=workers, arity=arity))
        try:
            for source in range(workers):
                for target in range(workers):
                    if source != target:
                        check_path(running, source, target)
        finally:
            running.stop()


def check_path(running: network.RunningNetwork, source: int, target: int) -> None:
    """The time-to-live that arrives shows how many workers forwarded."""
    with sockets(running, source, target) as (sender, receiver):
        receiver.setsockopt(socket.IPPROTO_IP, IP_RECVTTL, 1)
        receiver.settimeout(1)
        sender.sendto(b"x", receiver.getsockname())
        _, details, _, origin = receiver.recvmsg(10, 100)
    assert origin[0] == worker_ip(source), origin
    left = int.from_bytes(details[0][2], sys.byteorder)
    routers = running.wiring.hops(source, target) - 1 if running.wiring.topology == "ring" else 0
    assert left == 64 - routers, (source, target, left)


def check_nothing_is_left():
    before = leftovers()
    running = network.start(make("tree", workers=6, arity=3))
    assert leftovers() != before
    running.stop()
    deadline = time.monotonic() + 5
    while leftovers() != before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert leftovers() == before, (before, leftovers())


def leftovers() -> tuple[list[str], int]:
    """Interfaces, and the network namespaces of all processes."""
    spaces = set()
    for process in Path("/proc").glob("[0-9]*/ns/net"):
        try:
            spaces.add(process.readlink())
        except OSError:
            continue  # ended meanwhile
    return sorted(path.name for path in Path("/sys/class/net").iterdir()), len(spaces)


def check_a_missing_interface_is_said():
    with shaped(settings()) as (running, _, links):
        running.mininet[links[0].end.node].cmd(f"ip link del {links[0].end.interface}")
        nodes = running.wiring.workers + running.wiring.switches
        with Shaper({node: running.pid(node) for node in nodes}) as other:
            try:
                other.apply(links)
            except LabError as error:
                assert links[0].end.interface in str(error), error
            else:
                raise AssertionError("a missing interface was not noticed")


def check_probe_is_faithful():
    for name in ("star", "ring", "tree"):
        for rate, latency in ((5e6, 130e-6), (100e6, 5e-3), (1.4e9, 130e-6), (10e9, 1e-3)):
            net = settings(
                topology=name,
                workers=4,
                arity=2 if name == "tree" else None,
                bandwidth_bit_per_s=rate,
                latency_s=latency,
                queue_bytes=max(2**20, int(rate * latency / 8)),
            )
            with shaped(net) as (running, _, links):
                record = probe.probe(running.wiring, running.worker_pids, links, probe.VIRTUAL)
            wrong = [row for row in record["detail"] if not row["faithful"]]
            assert record["faithful"], (net, wrong)


def check_probe_sees_a_slow_trunk_and_a_wrong_delay():
    net = settings(topology="tree", workers=4, arity=2, trunk_bit_per_s=5e6, queue_bytes=2**20)
    with shaped(net) as (running, _, links):
        record = probe.probe(running.wiring, running.worker_pids, links, probe.VIRTUAL)
        assert record["faithful"], record
        trunk = next(link.end for link in links if link.end.link_class == "trunk")
        # Delay and rate of one trunk direction, behind the plan's back.
        running.mininet[trunk.node].cmd(
            f"tc qdisc change dev {trunk.interface} root netem rate 4mbit delay 300us limit 100000"
        )
        record = probe.probe(running.wiring, running.worker_pids, links, probe.VIRTUAL)
    assert not record["faithful"]
    wrong = {row["what"] for row in record["detail"] if not row["faithful"]}
    assert {"rtt", "goodput alone"} <= wrong, wrong


def main(names: list[str]) -> int:
    """Run the named checks, or all; return the number of failures."""
    checks = {
        name: check
        for name, check in globals().items()
        if name.startswith("check_") and check.__code__.co_argcount == 0
    }
    failures = 0
    for name in names or checks:
        try:
            checks[name]()
            print(f"ok     {name}", flush=True)
        except Exception:
            failures += 1
            print(f"FAILED {name}\n{traceback.format_exc()}", flush=True)
    return failures


if __name__ == "__main__":
    subprocess.run(["mnexec", "-v"], check=True, stdout=subprocess.DEVNULL)
    sys.exit(main(sys.argv[1:]))
