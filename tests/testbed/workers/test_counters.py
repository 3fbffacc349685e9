import os
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from shaping.plan import RECEIVING_MARK
from testbed.workers.counters import interface_totals, own_sockets, parse_tcp_info
from testbed.workers.protocol import SocketCounters

# struct tcp_info of include/uapi/linux/tcp.h, field by field, up to tcpi_dsack_dups
TCP_INFO = struct.Struct("=8B24I4Q6I4Q2I2QI")
FIELDS = """
    state ca_state retransmits probes backoff options wscale flags
    rto ato snd_mss rcv_mss unacked sacked lost retrans fackets
    last_data_sent last_ack_sent last_data_recv last_ack_recv
    pmtu rcv_ssthresh rtt rttvar snd_ssthresh snd_cwnd advmss reordering rcv_rtt rcv_space total_retrans
    pacing_rate max_pacing_rate bytes_acked bytes_received
    segs_out segs_in notsent_bytes min_rtt data_segs_in data_segs_out
    delivery_rate busy_time rwnd_limited sndbuf_limited
    delivered delivered_ce bytes_sent bytes_retrans dsack_dups
""".split()  # noqa: SIM905

Pair = tuple[socket.socket, socket.socket]


def test_tcp_info_is_read_by_its_fields() -> None:
    values = {name: number for number, name in enumerate(FIELDS, start=1)}
    values |= {"bytes_sent": 2**40 + 1448, "bytes_retrans": 1448, "bytes_acked": 2**40 - 5}
    found = parse_tcp_info("10.0.0.2", TCP_INFO.pack(*(values[name] for name in FIELDS)))
    assert found == SocketCounters(
        peer="10.0.0.2",
        payload_bytes=2**40,
        acked_bytes=2**40 - 5,
        retransmitted_bytes=1448,
        segments=values["segs_out"],
        data_segments=values["data_segs_out"],
        needless=values["dsack_dups"],
    )


@pytest.fixture
def open_sockets() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def connected(stack: ExitStack, client: str, server: str) -> Pair:
    listener = stack.enter_context(socket.create_server((server, 0)))
    near = stack.enter_context(socket.create_connection(listener.getsockname(), source_address=(client, 0)))
    far = stack.enter_context(listener.accept()[0])
    return near, far


def test_own_connections_to_another_address_are_counted(open_sockets: ExitStack) -> None:
    near, far = connected(open_sockets, "127.0.0.1", "127.0.0.2")
    near.sendall(bytes(1000))
    assert far.recv(1000, socket.MSG_WAITALL) == bytes(1000)
    found = own_sockets()
    key = (near.getsockname()[1], "127.0.0.2", far.getsockname()[1])
    assert set(found) == {key, (key[2], "127.0.0.1", key[0])}
    assert (found[key].payload_bytes, found[key].retransmitted_bytes, found[key].data_segments) == (1000, 0, 1)
    assert found[key].segments >= 3  # SYN, the ACK of its answer, data
    near.sendall(bytes(500))
    assert own_sockets()[key].payload_bytes == 1500


def test_own_connections_within_an_address_are_none_of_the_networks(open_sockets: ExitStack) -> None:
    connected(open_sockets, "127.0.0.1", "127.0.0.1")
    udp = open_sockets.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    udp.bind(("127.0.0.1", 0))
    udp.connect(("127.0.0.2", 9))
    open_sockets.callback(os.close, os.open("/dev/null", os.O_RDONLY))
    assert own_sockets() == {}


def names_in(folder: str) -> set[str]:
    return {path.name for path in Path(folder).iterdir()}


def test_counting_leaves_the_connections_open(open_sockets: ExitStack) -> None:
    near, far = connected(open_sockets, "127.0.0.1", "127.0.0.2")
    descriptors = names_in("/proc/self/fd")
    own_sockets()
    assert names_in("/proc/self/fd") == descriptors
    near.sendall(b"still there")
    assert far.recv(100) == b"still there"


def test_interfaces_are_all_but_loopback() -> None:
    assert set(interface_totals()) == {
        name for name in names_in("/sys/class/net") if name != "lo" and RECEIVING_MARK not in name
    }


def test_interfaces_are_counted_by_what_they_transmitted(monkeypatch: pytest.MonkeyPatch) -> None:
    # As the kernel prints it; the shaping's own device repeats what the neighbour has transmitted.
    received, rest = "1 2 0 0 0 0 0 0", "0 0 0 0 0 0"
    names = {"lo": (9, 9), "w1-eth0": (1066, 3), "w1-ifb0": (7777, 7)}
    lines = [f"{name:>6}: {received} {sent} {packets} {rest}" for name, (sent, packets) in names.items()]
    monkeypatch.setattr(Path, "read_text", lambda path: "\n".join(["Inter-|", " face |", *lines]))
    assert interface_totals() == {"w1-eth0": (1066, 3)}


def test_waiting_for_a_processor_is_counted() -> None:
    """Two processes that share one processor wait for each other."""
    program = (
        "import os, time; from testbed.workers.counters import waited_s; "
        f"os.sched_setaffinity(0, [{min(os.sched_getaffinity(0))}]); "
        "before = waited_s(); end = time.process_time() + 0.3\nwhile time.process_time() < end: pass\n"
        "print(waited_s() - before)"
    )
    both = [subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) for _ in range(2)]
    waited = [float(process.communicate()[0]) for process in both]
    assert max(waited) > 0.05
