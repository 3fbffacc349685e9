"""The layers of a workload's parameters, without their values: no memory, no data set."""

from __future__ import annotations

import json
from functools import cache

import torch

from algorithms.algorithm import Layer
from testbed.errors import UserError
from testbed.workloads.flat import FlatModel
from testbed.workloads.workload import create

VECTOR_PREFIX = "vector-"  # `vector-275000`: no model, a vector of 275,000 float32 values


@cache
def outline(workload: str, options: str = "{}") -> tuple[Layer, ...]:
    """The layers of a workload with `options` (JSON), or the only one of `vector-<N>`; UserError for another name."""
    if workload.startswith(VECTOR_PREFIX):
        size = vector_size(workload)
        return (Layer("vector", 0, size, (size,)),)
    with torch.device("meta"):
        return FlatModel(create(workload, options=json.loads(options)).build_model()).layers


def vector_size(workload: str) -> int:
    """How many values the workload `vector-<N>` has; UserError for any other workload."""
    digits = workload.removeprefix(VECTOR_PREFIX)
    if digits == workload or not (digits.isascii() and digits.isdigit()) or int(digits) == 0:
        raise UserError(f"workload {workload!r} trains nothing; without gradients it must be {VECTOR_PREFIX}<values>")
    return int(digits)
