import dataclasses
from collections.abc import Callable

import pytest

from testbed.session.byte_account import InterfaceBytes, account, interface_bytes, socket_totals
from testbed.workers.protocol import Counters, SocketCounters

HEADERS = 66  # Ethernet 14, IPv4 20, TCP 20, time stamps 12


def direct(rank: int, peer: str) -> int:
    return 1


def connection(peer: str, payload: int, retransmitted: int, segments: int, data_segments: int) -> SocketCounters:
    return SocketCounters(
        peer=peer,
        payload_bytes=payload,
        acked_bytes=payload,
        retransmitted_bytes=retransmitted,
        segments=segments,
        data_segments=data_segments,
    )


def idle(workers: int) -> list[Counters]:
    return [Counters(0, 0, {}, {"eth0": (0, 0)}) for _ in range(workers)]


@pytest.fixture
def across_a_switch() -> list[Counters]:
    """Worker 0 sends a message of 1000 bytes with its MPI header, in a super-packet; worker 1 acknowledges."""
    return [
        Counters(1000, 1, {(5000, "10.0.0.2", 6000): connection("10.0.0.2", 1032, 0, 1, 1)}, {"eth0": (1032 + 66, 1)}),
        Counters(0, 0, {(6000, "10.0.0.1", 5000): connection("10.0.0.1", 0, 0, 1, 0)}, {"eth0": (66, 1)}),
    ]


def explained(
    before: list[Counters], after: list[Counters], links: Callable[[int, str], int] = direct
) -> InterfaceBytes:
    return interface_bytes(before, after, socket_totals(before, after, links))


def test_every_byte_of_an_exchange_across_a_switch_is_explained(across_a_switch: list[Counters]) -> None:
    assert explained(idle(2), across_a_switch) == InterfaceBytes(
        total=1032 + 2 * 66, payload=1032, headers=66, acks=66, retransmits=0, transit=0, reports=0, unexplained=0
    )


def test_counters_before_the_first_snapshot_do_not_count(across_a_switch: list[Counters]) -> None:
    assert explained(across_a_switch, across_a_switch) == InterfaceBytes(0, 0, 0, 0, 0, 0, 0, 0)
    sockets = socket_totals(across_a_switch, across_a_switch, direct)
    assert not any(dataclasses.asdict(sockets).values())


def test_what_a_ring_forwards_is_transit() -> None:
    # 0 sends to 2 through 1: host 1 transmits the packet and its acknowledgement once more.
    after = [
        Counters(1000, 1, {(5000, "10.0.0.3", 6000): connection("10.0.0.3", 1000, 0, 1, 1)}, {"right": (1066, 1)}),
        Counters(0, 0, {}, {"right": (1066, 1), "left": (66, 1)}),
        Counters(0, 0, {(6000, "10.0.0.1", 5000): connection("10.0.0.1", 0, 0, 1, 0)}, {"left": (66, 1)}),
    ]
    before = [Counters(0, 0)] * 3
    assert explained(before, after, lambda rank, peer: 2) == InterfaceBytes(
        total=2 * 1066 + 2 * 66,
        payload=1000,
        headers=132,
        acks=132,
        retransmits=0,
        transit=1000,
        reports=0,
        unexplained=0,
    )
    assert explained(before, after, direct).unexplained == 1000  # it is the number of links that explains them


def test_retransmitted_bytes_are_told_from_payload() -> None:
    after = [
        Counters(3000, 1, {(1, "10.0.0.2", 2): connection("10.0.0.2", 3000, 1448, 4, 4)}, {"eth0": (4448 + 4 * 66, 4)}),
        Counters(0, 0, {}, {"eth0": (0, 0)}),
    ]
    found = explained(idle(2), after)
    assert (found.payload, found.retransmits, found.headers, found.unexplained) == (3000, 1448, 4 * 66, 0)
    two_links = socket_totals(idle(2), after, lambda rank, peer: 2)
    assert two_links.transit_bytes == 4448


def test_a_report_of_a_needless_repeat_makes_an_acknowledgement_longer(across_a_switch: list[Counters]) -> None:
    sender, receiver = across_a_switch
    ((key, sent),) = sender.sockets.items()
    repeated = dataclasses.replace(sender, sockets={key: dataclasses.replace(sent, needless=1)})
    reporting = dataclasses.replace(receiver, interfaces={"eth0": (66 + 12, 1)})
    found = explained(idle(2), [repeated, reporting])
    assert (found.reports, found.unexplained) == (12, 0)


def test_foreign_bytes_stay_unexplained(across_a_switch: list[Counters]) -> None:
    first = across_a_switch[0]
    foreign = dataclasses.replace(first, interfaces={"eth0": (first.interfaces["eth0"][0] + 100, 1)})
    assert explained(idle(2), [foreign, across_a_switch[1]]).unexplained == 100


def test_host_links_are_asked_for_the_sender_and_its_peer(across_a_switch: list[Counters]) -> None:
    asked = []

    def links(rank: int, peer: str) -> int:
        asked.append((rank, peer))
        return 1

    socket_totals(idle(2), across_a_switch, links)
    assert asked == [(0, "10.0.0.2"), (1, "10.0.0.1")]


def test_account_is_per_step_and_over_all_workers(across_a_switch: list[Counters]) -> None:
    found = account(idle(2), across_a_switch, declared_bytes=1000, steps=2, host_links=direct)
    assert found == {
        "declared_per_step": 500,
        "handed_per_step": 500,
        "messages_per_step": 0.5,
        "socket_per_step": 516,
        "mpi_header_per_step": 16,
        "wire_per_step": (1032 + 2 * HEADERS) / 2,
        "retransmitted_per_step": 0,
        "interface": {
            "total": 582,
            "payload": 516,
            "headers": 33,
            "acks": 33,
            "retransmits": 0,
            "transit": 0,
            "reports": 0,
            "unexplained": 0,
        },
    }
