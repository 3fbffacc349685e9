"""Netlink messages: what is encoded decodes to the same."""

from typing import Any

import numpy as np
import pytest

from shaping import messages
from shaping.plan import plan
from testbed.cell import Network
from topologies import make
from topologies.wiring import derive

NETWORK = Network(
    topology="star",
    workers=2,
    bandwidth_bit_per_s=10e9,
    latency_s=0.13e-3,
    jitter_s=16e-6,
    loss=0.25,
    queue_bytes=2**20,
)
LINK = plan(NETWORK, derive(make("star", workers=2)))[0]


def again(request: Any) -> Any:
    """The request, encoded and decoded."""
    request.encode()
    decoded = type(request)(request.data)
    decoded.decode()
    return decoded


def test_netem_has_nanoseconds_rate_and_loss():
    decoded = again(messages.set_netem(LINK, 7))
    options = decoded.get_attr("TCA_OPTIONS")
    assert decoded["index"] == 7
    assert options.get_attr("TCA_NETEM_LATENCY64") == 32_500
    assert options.get_attr("TCA_NETEM_JITTER64") == 8_000
    assert options.get_attr("TCA_NETEM_RATE")["rate"] == 1_250_000_000
    assert options["loss"] == 2**30
    assert options.get_attr("TCA_NETEM_PRNG_SEED") == LINK.seed


@pytest.mark.parametrize("name", ["add_policer", "set_policer"])
def test_policer_drops_what_the_queue_has_no_room_for(name):
    decoded = again(getattr(messages, name)(LINK, 7))
    path = ["TCA_ACT_TAB"] if name == "set_policer" else ["TCA_OPTIONS", "TCA_MATCHALL_ACT"]
    bucket = decoded.get_nested(*path, "TCA_ACT_TAB_1", "TCA_ACT_OPTIONS", "TCA_POLICE_TBF")
    assert bucket["index"] == 7
    assert bucket["rate"] == 1_250_000_000
    assert bucket["burst"] == LINK.queue_ticks
    assert bucket["action"] == messages.TC_ACT_SHOT


def test_attributes_have_the_kernels_numbers():
    numbers = {name: number for number, (name, _) in enumerate(messages.NetemOptions.nla_map)}
    assert numbers["TCA_NETEM_RATE"] == 6  # linux/pkt_sched.h
    assert numbers["TCA_NETEM_LATENCY64"] == 10
    assert numbers["TCA_NETEM_JITTER64"] == 11
    assert numbers["TCA_NETEM_PRNG_SEED"] == 14


def test_delays_are_distributed_normally_with_the_deviation_that_was_asked_for():
    table = np.frombuffer(messages.normal_distribution(), dtype="<i2") / messages.DISTRIBUTION_SCALE
    assert abs(table.mean()) < 1e-3
    assert table.std() == pytest.approx(1, abs=2e-3)
    assert np.mean(np.abs(table) < 1) == pytest.approx(0.6827, abs=1e-3)
