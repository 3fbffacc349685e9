from __future__ import annotations

import errno
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from testbed.session import capture
from testbed.session.capture import SNAP_BYTES, Capture, CaptureFailure, Tap, taps
from testbed.session.pcap import count_packets
from topologies.namespace import inside
from topologies.registry import make
from topologies.wiring import derive

TOPOLOGIES = {
    "star": ({"workers": 2}, ["w0-s0 at w0-eth0", "w1-s0 at w1-eth0"]),
    "ring": ({"workers": 3}, ["w0-w1 at w0-eth0", "w1-w2 at w1-eth1", "w2-w0 at w2-eth1"]),
    "tree": (
        {"workers": 3, "arity": 2},
        ["s1-s0 at s1-eth1", "s2-s0 at s2-eth1", "w0-s1 at w0-eth0", "w1-s1 at w1-eth0", "w2-s2 at w2-eth0"],
    ),
}


@pytest.mark.parametrize("topology", TOPOLOGIES)
def test_every_link_is_captured_once_at_a_worker_where_it_has_one(topology: str) -> None:
    size, expected = TOPOLOGIES[topology]
    wiring = derive(make(topology, workers=size["workers"], arity=size.get("arity")))
    found = taps(wiring, {node: pid for pid, node in enumerate((*wiring.workers, *wiring.switches))}.__getitem__)
    assert sorted(f"{tap.name} at {tap.interface.removeprefix('gw0-')}" for tap in found) == expected
    for tap in found:
        assert tap.pid == [*wiring.workers, *wiring.switches].index(tap.interface.rpartition("-")[0])


needs_root = pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which(capture.PROGRAM) is None, reason="needs root and the program tcpdump"
)


@pytest.fixture
def loopback() -> Iterator[Tap]:
    """The loopback of a network namespace of its own, as a link."""
    ready = "ip link set lo up && echo ready && exec sleep 1000"
    with subprocess.Popen(["unshare", "--net", "sh", "-c", ready], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stdout.readline() == b"ready\n"
        yield Tap("w0-s0", "lo", process.pid)
        process.kill()


def send(link: Tap, packets: int) -> None:
    with inside(link.pid), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.bind(("127.0.0.1", 0))  # to itself: no answers that nobody listens
        for _ in range(packets):
            sender.sendto(bytes(500), sender.getsockname())


def programs() -> list[psutil.Process]:
    return [child for child in psutil.Process().children() if child.name() == capture.PROGRAM]


@needs_root
@pytest.mark.host
def test_all_packets_are_captured_with_their_headers(loopback: Tap, tmp_path: Path) -> None:
    with Capture([loopback], tmp_path / "captures") as under_way:
        send(loopback, 100)
    assert under_way.report() == {
        "snap_bytes": SNAP_BYTES,
        "links": {"w0-s0": {"interface": "lo", "packets": 100, "dropped": 0}},
    }
    path = tmp_path / "captures" / "w0-s0.pcap"
    assert count_packets(path) == 100
    assert path.stat().st_size == 24 + 100 * (16 + SNAP_BYTES)
    assert programs() == []


@needs_root
@pytest.mark.host
def test_a_disk_that_fills_up_is_said_and_given_free(loopback: Tap, tmp_path: Path) -> None:
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", tmp_path], capture_output=True).returncode:
        pytest.skip("this machine mounts no tmpfs")
    try:
        with (
            pytest.raises(CaptureFailure, match=r"the disk is full: .*\(of link w0-s0 \d+ of 1000 packets are kept\)"),
            Capture([loopback], tmp_path / "captures"),
        ):
            send(loopback, 1000)
        assert list(tmp_path.iterdir()) == []
        assert programs() == []
    finally:
        subprocess.run(["umount", tmp_path], check=True)


@needs_root
@pytest.mark.host
def test_a_link_that_cannot_be_captured_is_named_with_the_reason(loopback: Tap, tmp_path: Path) -> None:
    absent = Tap("w1-s0", "no-such", loopback.pid)
    with (
        pytest.raises(
            CaptureFailure, match=r"the capture of link w1-s0 did not begin: tcpdump: no-such: No such device"
        ),
        Capture([loopback, absent], tmp_path / "captures"),
    ):
        pass
    assert list(tmp_path.iterdir()) == []
    assert programs() == []


@needs_root
@pytest.mark.host
def test_a_program_that_is_ended_by_somebody_is_said(loopback: Tap, tmp_path: Path) -> None:
    with (
        pytest.raises(CaptureFailure, match="the capture of link w0-s0 ended early: "),
        Capture([loopback], tmp_path / "captures"),
    ):
        for program in programs():
            program.kill()
            program.wait()
    assert list(tmp_path.iterdir()) == []


@needs_root
@pytest.mark.host
def test_a_program_that_is_gone_is_said(loopback: Tap, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capture, "PROGRAM", "no-such-program")
    with (
        pytest.raises(CaptureFailure, match="no-such-program cannot be started: No such file"),
        Capture([loopback], tmp_path / "captures"),
    ):
        pass
    assert list(tmp_path.iterdir()) == []


@needs_root
@pytest.mark.host
@pytest.mark.parametrize("full", [True, False])
def test_what_fails_meanwhile_leaves_nothing(loopback: Tap, tmp_path: Path, full: bool) -> None:
    error = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)) if full else RuntimeError("something else")
    with (
        pytest.raises(CaptureFailure if full else RuntimeError, match="the disk is full" if full else "something else"),
        Capture([loopback], tmp_path / "captures"),
    ):
        raise error
    assert list(tmp_path.iterdir()) == []
    assert programs() == []
