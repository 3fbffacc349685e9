from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from testbed.labs import native
from testbed.session.worker_group import MPI_VARIABLES

pytestmark = [pytest.mark.mpi, pytest.mark.timeout(120)]

PROGRAM = Path(__file__).with_name("transport_ranks.py")
CHECKOUT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def ranks(helpers: Path) -> list[dict[str, Any]]:
    """What each of three ranks found."""
    mpiexec = Path(sys.executable).with_name("mpiexec")
    done = subprocess.run(
        [mpiexec, "-launcher", "fork", "-n", "3", sys.executable, PROGRAM],
        env={**os.environ, **MPI_VARIABLES, "FI_TCP_IFACE": "lo", **native.blocking_progress(helpers)},
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def test_an_exchange_delivers_counts_and_tells_how_much_came(ranks: list[dict[str, Any]]) -> None:
    for rank, found in enumerate(of_rank["exchange"] for of_rank in ranks):
        previous = (rank - 1) % 3 + 1
        assert found["received"] == [previous] * 10 * previous
        assert found["resumed_with"] == [10 * previous]  # the room was for more
        assert (found["handed"], found["messages"]) == (10 * (rank + 1), 1)


def test_an_exchange_is_traced_with_peers_and_the_bytes_that_travelled(ranks: list[dict[str, Any]]) -> None:
    for rank, found in enumerate(of_rank["exchange"] for of_rank in ranks):
        following, previous = (rank + 1) % 3, (rank - 1) % 3
        # A sleep that ends late is another slice of its work.
        assert [one for one, _ in itertools.groupby(found["slices"])] == [
            ["encode", []],
            ["send", [[following, 10 * (rank + 1)]]],
            ["wait", [[previous, 10 * (previous + 1)]]],
            ["decode", []],
        ]


def test_staging_is_charged_around_an_exchange_once_each_way(ranks: list[dict[str, Any]]) -> None:
    for parts in (of_rank["exchange"]["parts"] for of_rank in ranks):
        assert 0.02 <= parts["encode"] < 0.04
        assert 0.02 <= parts["decode"] < 0.04
        assert parts["communicate"] > 0
        assert parts["compute"] == parts["apply"] == 0


def test_a_collective_sums_and_hands_over_the_vector_once(ranks: list[dict[str, Any]]) -> None:
    expected = {"sum": [6.0] * 5, "handed": 20, "slices": ["allreduce (MPI)"]}
    assert [of_rank["collective"] for of_rank in ranks] == [expected] * 3


@pytest.mark.parametrize(
    "algorithm", ["allreduce fp32", "allreduce qsgd", "d-psgd fp32", "dcd-psgd qsgd", "ecd-psgd qsgd"]
)
def test_over_mpi_an_algorithm_does_what_it_does_in_lockstep(ranks: list[dict[str, Any]], algorithm: str) -> None:
    for found in (of_rank[algorithm] for of_rank in ranks):
        assert found["moved"] and found["equal"]
        assert found["transport"] == found["lockstep"]
        assert found["transport"][0] == found["declared"]
