"""A run's table by formula: the alpha-beta model of a star, so that tests know what figures must show."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import Any

import pandas as pd
import pytest

from reports import canvas
from reports.view import View

BANDWIDTHS = (5e6, 10e6, 50e6, 100e6, 500e6, 1.4e9, 5e9, 10e9)
LATENCIES = (0.13e-3, 1e-3, 5e-3, 20e-3)
SYSTEMS = (
    ("allreduce", "fp32"),
    ("allreduce", "qsgd"),
    ("d-psgd", "fp32"),
    ("dcd-psgd", "qsgd"),
    ("ecd-psgd", "qsgd"),
)
STEPS_PER_EPOCH = 49
VECTOR_BYTES = 4 * 269_722
COMPUTE_S = 0.1


def communicate_s(algorithm: str, codec: str, bandwidth_bit_per_s: float, latency_s: float, workers: int) -> float:
    """Ring allreduce: 2(n-1) messages of N/n in turn; gossip: N to each of 2 neighbours at once."""
    size_bytes = VECTOR_BYTES * (1 if codec == "fp32" else 0.26)
    if algorithm == "allreduce":
        messages = 2 * (workers - 1)
        return messages * (latency_s / 2 + 8 * size_bytes / workers / bandwidth_bit_per_s)
    return latency_s / 2 + 8 * 2 * size_bytes / bandwidth_bit_per_s


def row(
    topology: str, algorithm: str, codec: str, bandwidth: float, latency: float, scale: float, workers: int
) -> dict[str, Any]:
    communicate = communicate_s(algorithm, codec, bandwidth, latency, workers)
    encode = 0.0 if codec == "fp32" else 0.004
    step = COMPUTE_S * scale + communicate + 2 * encode + 0.002
    bytes_ = 8 * 2 * VECTOR_BYTES * (1 if codec == "fp32" else 0.26)
    return {
        "lab": "virtual", "topology": topology, "workers": workers, "bandwidth_bit_per_s": bandwidth,
        "latency_s": latency, "algorithm": algorithm, "codec": codec, "algorithm_options": "{}",
        "codec_options": "{}" if codec == "fp32" else '{"bits": 8, "bucket": 512}',
        "graph": "none" if algorithm == "allreduce" else "ring", "workload": "resnet20",
        "dataset": "fashion-mnist", "batch_size": 128, "device": "k80", "device_kind": "estimated",
        "compute_scale": scale, "gradients": "recorded", "seed": 1, "steps_measured": 30, "repetitions": 3,
        "epoch_s": STEPS_PER_EPOCH * step, "epoch_ci95_s": STEPS_PER_EPOCH * 0.004 * scale, "step_s": step,
        "compute_s": COMPUTE_S * scale, "encode_s": encode, "communicate_s": communicate, "decode_s": encode,
        "apply_s": 0.002, "wire_bytes_per_step": bytes_ * 1.05, "declared_bytes_per_step": bytes_,
        "rtt_probe_s": latency, "goodput_probe_bit_per_s": bandwidth * 1448 / 1514, "faithful": True,
        "status": "ok", "reason": "",
    }  # fmt: skip


def make_table(
    topologies: Sequence[str] = ("star",),
    systems: Sequence[tuple[str, str]] = SYSTEMS,
    bandwidths: Sequence[float] = BANDWIDTHS,
    latencies: Sequence[float] = LATENCIES,
    scales: Sequence[float] = (1.0,),
    workers: int = 8,
) -> pd.DataFrame:
    """One row per cell of the product."""
    cells = product(topologies, systems, bandwidths, latencies, scales)
    return pd.DataFrame([row(t, *s, b, latency, scale, workers) for t, s, b, latency, scale in cells])


def where(table: pd.DataFrame, **values: Any) -> pd.Series:
    """The rows in which every named column has the value."""
    mask = pd.Series(True, index=table.index)
    for column, value in values.items():
        mask &= table[column] == value
    return mask


def fail(table: pd.DataFrame, mask: pd.Series, reason: str = "a worker raised") -> pd.DataFrame:
    """The table with those cells failed, as the results' table writes them."""
    measured = [c for c in table.columns if c.endswith(("_s", "_step", "_per_s")) or c == "dataset"]
    measured = [c for c in measured if c not in ("bandwidth_bit_per_s", "latency_s")]
    failed = table.copy()
    failed.loc[mask, measured] = None
    failed["faithful"] = failed["faithful"].astype(object)
    failed.loc[mask, ["status", "reason", "faithful"]] = ["failed", reason, None]
    return failed


PROVENANCE: Mapping[str, Any] = {
    "name": "default",
    "git_commit": "0123456789abcdef0123",
    "date": "2026-01-02",
}


def drawn(draw: Any, view: View) -> Any:
    """The figure that `draw` makes, which must not be None."""
    figure = draw(view)
    assert figure is not None
    return figure


class Tables:
    """What tests make tables with, and draw them."""

    drawn = staticmethod(drawn)

    make = staticmethod(make_table)
    where = staticmethod(where)
    fail = staticmethod(fail)
    communicate_s = staticmethod(communicate_s)
    provenance = PROVENANCE
    bandwidths, latencies, systems = BANDWIDTHS, LATENCIES, SYSTEMS


@pytest.fixture(scope="session")
def tables() -> type[Tables]:
    return Tables


@pytest.fixture(autouse=True)
def style() -> Iterator[None]:
    with canvas.style():
        yield
