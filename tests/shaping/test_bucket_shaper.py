from __future__ import annotations

import json
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from testbed.cache import CACHE_VARIABLE
from testbed.labs import native
from testbed.labs.host import requirements
from testbed.labs.host.congestion import allow_cubic
from testbed.labs.host.process import ISOLATION

LACK = requirements.missing(requirements.lacks())

pytestmark = [
    pytest.mark.host,
    pytest.mark.timeout(120),
    pytest.mark.skipif(LACK is not None, reason=str(LACK)),
]

CHECKOUT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What tests/shaping/in_host.py found."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(CACHE_VARIABLE, str(tmp_path_factory.mktemp("cache")))
        helpers = native.ensure()
    allow_cubic(lambda text: None)
    done = subprocess.run(
        [*ISOLATION, sys.executable, "-m", "tests.shaping.in_host", str(helpers)],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    values: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return values


def test_packets_wait_for_the_latency_also_after_it_changed(found: dict[str, Any]) -> None:
    # Bounds that a busy machine keeps: packets may be late, and calibration may have taken lateness for overhead.
    for latency_s, trips_s in zip((10e-3, 40e-3), found["trips_s"], strict=True):
        assert len(trips_s) == 9
        assert 0.7 * latency_s < sorted(trips_s)[4] < latency_s + 20e-3


def test_every_packet_that_came_was_let_go(found: dict[str, Any]) -> None:
    report = found["report"]
    assert report["backend"] == "nfqueue"
    assert report["packets"] >= 2 * 9  # of the last network: there and back; a busy machine may send again
    assert report["overrun"] == 0
    assert 0 <= report["late_mean_ns"] <= report["late_max_ns"]


def test_a_change_holds_from_then_on_while_counts_go_on(found: dict[str, Any]) -> None:
    for latency_s, trips_s in zip((10e-3, 40e-3), (found["before_trips_s"], found["changed_trips_s"]), strict=True):
        assert 0.7 * latency_s < sorted(trips_s)[4] < latency_s + 20e-3
    assert found["changed_report"]["packets"] >= 2 * 2 * 9
    assert found["changed_report"]["dropped"] == 0


def test_jitter_spreads_round_trips_and_loss_drops_packets(found: dict[str, Any]) -> None:
    trips_s = found["rough_trips_s"]
    assert len(trips_s) == 15
    assert statistics.stdev(trips_s) > 0.3e-3  # 1 ms was asked for
    assert 0 < found["rough_report"]["dropped"] < found["rough_report"]["packets"]


def test_it_reads_back_what_the_kernel_has(found: dict[str, Any]) -> None:
    assert len(found["read_back"]) == 4
    for link in found["read_back"]:
        assert link["rate_byte_per_s"] == 2_500_000
        assert link["delay_ns"] == 10_000_000


def test_what_others_do_to_the_links_is_named(found: dict[str, Any]) -> None:
    assert "rate_byte_per_s of gw0-w0-eth0: set to 2500000, the kernel has 125000" in found["other_rate"]
    assert found["removed"] == "interface gw0-w0-eth0 has no tbf qdisc; somebody removed it"


def test_a_delay_line_that_does_not_start_is_one_sentence(found: dict[str, Any]) -> None:
    assert "no-such-program" in found["no_program"]
