"""The layers of a workload's parameters, without their values: no memory, no data set."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from algorithms.algorithm import Layer
from testbed.errors import UserError
from testbed.workloads.flat import layers_of
from testbed.workloads.workload import create

VECTOR_PREFIX = "vector-"  # `vector-275000`: no model, a vector of 275,000 float32 values


class _Undrawn(TorchFunctionMode):
    """Leaves out first values, which have no memory here: torch imports 800 modules to find that out."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if func is torch.Tensor.normal_ or getattr(func, "__module__", "") == torch.nn.init.__name__:
            return kwargs["tensor"] if "tensor" in kwargs else args[0]
        return func(*args, **kwargs)


@cache
def outline(workload: str, options: str = "{}") -> tuple[Layer, ...]:
    """The layers of a workload with `options` (JSON), or the only one of `vector-<N>`; UserError for another name."""
    if workload.startswith(VECTOR_PREFIX):
        size = vector_size(workload)
        return (Layer("vector", 0, size, (size,)),)
    with torch.device("meta"), _Undrawn():
        return layers_of(create(workload, options=json.loads(options)).build_model())


def vector_size(workload: str) -> int:
    """How many values the workload `vector-<N>` has; UserError for any other workload."""
    digits = workload.removeprefix(VECTOR_PREFIX)
    if digits == workload or not (digits.isascii() and digits.isdigit()) or int(digits) == 0:
        raise UserError(f"workload {workload!r} trains nothing; without gradients it must be {VECTOR_PREFIX}<values>")
    return int(digits)
