from __future__ import annotations

from testbed.program import link_bytes
from topologies import make
from topologies.wiring import derive

DEVICES = """\
Inter-|   Receive         |  Transmit
 face |bytes packets errs |bytes packets
    lo:  100       1 0 0 0 0 0 0   100 1 0 0 0 0 0 0
gw-w0-eth0: 5000   5 0 0 0 0 0 0  7000 7 0 0 0 0 0 0
"""


def test_what_was_transmitted_is_read() -> None:
    assert link_bytes.parse(DEVICES) == {"lo": (100, 1), "gw-w0-eth0": (7000, 7)}


def test_a_link_has_both_ways_between_two_counts() -> None:
    wiring = derive(make("star", workers=2))
    first = wiring.ends[0]
    before = {end.interface: (10, 1) for end in wiring.ends}
    after = before | {first.interface: (110, 3), first.peer_interface: (60, 2)}
    found = link_bytes.documents(wiring, before, after)
    assert len(found) == 2
    assert found[0] == {"ends": ["w0", "s0"], "bytes": [100, 50], "packets": [2, 1]}
    assert found[1]["bytes"] == [0, 0]
