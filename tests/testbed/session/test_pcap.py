from __future__ import annotations

import struct
from pathlib import Path

import pytest

from testbed.session.pcap import count_packets

FILE_HEADER = struct.pack("=IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 128, 1)


def packet(kept: int, whole: int) -> bytes:
    return struct.pack("=IIII", 7, 8, kept, whole) + bytes(kept)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "link.pcap"


def test_whole_packets_are_counted(path: Path) -> None:
    path.write_bytes(FILE_HEADER + packet(128, 1514) + packet(66, 66) + packet(0, 60))
    assert count_packets(path) == 3


@pytest.mark.parametrize("cut", [1, 66, 67, 82])
def test_a_packet_that_is_cut_does_not_count(path: Path, cut: int) -> None:
    path.write_bytes((FILE_HEADER + packet(128, 1514) + packet(66, 66))[:-cut])
    assert count_packets(path) == 1


@pytest.mark.parametrize("content", [b"", FILE_HEADER, FILE_HEADER[:10]])
def test_a_file_without_packets_has_none(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    assert count_packets(path) == 0
