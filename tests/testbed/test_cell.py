"""A cell's identity and its JSON form."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from testbed.cell import Cell, Change, Network, OwnLinks, SlowWorker

# As cells were written before they could have schedules and stragglers.
OLD: dict[str, Any] = {
    "lab": "virtual",
    "network": {
        "topology": "star", "workers": 4, "arity": None, "bandwidth_bit_per_s": 5e6, "trunk_bit_per_s": None,
        "latency_s": 0.02, "jitter_s": 0.0, "loss": 0.0, "queue_bytes": 16777216, "slow_start_after_idle": False,
    },
    "algorithm": "allreduce", "algorithm_options": {}, "codec": "fp32", "codec_options": {}, "graph": "ring",
    "workload": "resnet20", "batch_size": 128, "device": "k80", "compute_scale": 1.0, "gradients": "recorded",
    "steps": {"warmup_min": 3, "warmup_max": 12, "measured": 10, "repetitions": 3}, "full_epoch": False, "seed": 1,
}  # fmt: skip
OLD_ID = "1bf0f8e308ff323c"

values = st.none() | st.floats(0.001, 1e9)
ranks = st.integers(0, 31)
own_links = st.builds(
    OwnLinks, worker=ranks, bandwidth_bit_per_s=values, latency_s=values, jitter_s=values, loss=values
)
changes = st.builds(
    Change,
    at_s=st.floats(0, 100),
    worker=st.none() | ranks,
    bandwidth_bit_per_s=values,
    latency_s=values,
    jitter_s=values,
    loss=values,
    down_s=values,
)


def test_a_cell_of_an_older_run_is_read_and_keeps_its_id() -> None:
    cell = Cell.from_json(OLD)
    assert cell.id == OLD_ID
    assert (cell.schedule, cell.slow_worker, cell.network.own_links) == ((), None, ())


@given(
    own=st.lists(own_links, max_size=2),
    schedule=st.lists(changes, max_size=4),
    slow=st.none() | st.builds(SlowWorker, worker=ranks, compute=st.floats(1.1, 10)),
)
def test_a_cell_comes_back_from_json_as_it_was(
    own: list[OwnLinks], schedule: list[Change], slow: SlowWorker | None
) -> None:
    network = Network(
        topology="star", workers=32, bandwidth_bit_per_s=1e9, latency_s=1e-3, queue_bytes=10**6, own_links=tuple(own)
    )
    plain = {"network": network, "schedule": tuple(schedule), "slow_worker": slow}
    same = ("lab", "algorithm", "codec", "graph", "workload", "batch_size", "device")
    cell = Cell(**{key: OLD[key] for key in same} | plain)
    assert Cell.from_json(cell.to_json()) == cell
    through_text = Cell.from_json(json.loads(json.dumps(cell.to_json())))
    assert through_text == cell
    assert through_text.id == cell.id
    assert hash(through_text.network) == hash(network)


def test_what_is_slow_and_what_changes_is_part_of_the_identity() -> None:
    plain = Cell.from_json(OLD)
    others = [
        Cell.from_json(OLD | {"slow_worker": {"worker": 1, "compute": 2.0}}),
        Cell.from_json(OLD | {"schedule": [{"at_s": 1.0, "loss": 0.01}]}),
        Cell.from_json(OLD | {"schedule": [{"at_s": 1.0, "loss": 0.02}]}),
        Cell.from_json(OLD | {"network": OLD["network"] | {"own_links": [{"worker": 1, "latency_s": 0.05}]}}),
    ]
    assert len({cell.id for cell in (plain, *others)}) == 5
