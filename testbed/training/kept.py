"""What the next step of a training depends on, of one worker and of all: what a checkpoint holds."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from testbed.workloads.all_workers import state_name
from testbed.workloads.workload import State

OfWorker = Mapping[str, Any]  # its replica `x`, what its `algorithm` keeps by name, its workload's `state` in order


def packed(x: Tensor, algorithm: Mapping[str, Tensor], state: State) -> bytes:
    """What one worker has, as bytes."""
    content = io.BytesIO()
    torch.save({"x": x, "algorithm": dict(algorithm), "state": list(state)}, content)
    return content.getvalue()


def unpacked(content: bytes) -> OfWorker:
    """What `packed` took, on the processor."""
    kept: OfWorker = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    return kept


def together(workers: Sequence[OfWorker]) -> dict[str, Any]:
    """What all workers have, as `Trainer.save` has it."""
    states = {
        state_name(rank, index): part for rank, kept in enumerate(workers) for index, part in enumerate(kept["state"])
    }
    return {
        "xs": [kept["x"] for kept in workers],
        "algorithms": [kept["algorithm"] for kept in workers],
        "states": states,
    }


def of_worker(saved: Mapping[str, Any], rank: int) -> bytes:
    """What one worker has of what `Trainer.save` took."""
    state: list[Tensor] = []
    while (name := state_name(rank, len(state))) in saved["states"]:
        state.append(saved["states"][name])
    return packed(saved["xs"][rank], saved["algorithms"][rank], tuple(state))
