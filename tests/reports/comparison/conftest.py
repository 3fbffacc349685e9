"""Two runs of six cells by formula, each cell with the epochs of its repetitions."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd
import pytest

from reports.comparison import Side

NOISE = (0.99, 1.01, 1.02)  # what the repetitions of both runs draw alike
DECLARED: Mapping[str, Any] = {
    "containers": "none", "workload_options": "none", "partition": "partitioned", "alpha": None, "arity": None,
    "trunk_bit_per_s": None, "jitter_s": 0.0, "loss": 0.0, "queue_bytes": 100_000, "slow_start_after_idle": False,
    "full_epoch": False, "straggler": "none", "schedule": "none", "capture": False, "samples": 60_000,
    "parameters": 269_722, "profile_digest": "abc", "session": 0,
}  # fmt: skip
PROVENANCE: Mapping[str, Any] = {
    "name": "smoke",
    "sessions": [
        {
            "git_commit": "0123456789abcdef",
            "date": "2026-01-02T03:04:05+00:00",
            "versions": {"mpich": "5.0.2"},
            "labs": {"virtual": {"kernel": "7.3.4", "kernel_build": "aa", "mpi": "MPICH"}},
        }
    ],
}


@pytest.fixture
def side(tables: Any) -> Callable[..., Side]:
    """Make a run: a cell's factor on its epoch by number, and the noise of its repetitions."""

    def make(
        name: str = "runs/a",
        factors: Mapping[int, float] | None = None,
        noise: Sequence[float] = NOISE,
        change: Callable[[pd.DataFrame], None] = lambda table: None,
        provenance: Mapping[str, Any] = PROVENANCE,
    ) -> Side:
        table = tables.make(
            systems=(("allreduce", "fp32"), ("dcd-psgd", "qsgd")), bandwidths=(5e6, 1e8, 1.4e9), latencies=(20e-3,)
        )
        table = table.assign(**{key: [value] * len(table) for key, value in DECLARED.items()})
        table["cell"] = [f"{number:016x}" for number in range(len(table))]
        table["faithful"] = table["faithful"].astype(object)
        epochs = [
            [row["epoch_s"] * (factors or {}).get(number, 1.0) * one for one in noise]
            for number, row in enumerate(table.to_dict("records"))
        ]
        table["epochs_s"] = [json.dumps(values) for values in epochs]
        change(table)
        return Side(name=name, table=table, provenance=provenance)

    return make
