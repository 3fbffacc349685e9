"""Selections of a vector: k components as (index, value), selected, merged, and as bytes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from algorithms.algorithm import AlgorithmOptions, Bytes, Worker
from algorithms.codecs.sparse import largest_places

ENTRY_BYTES = 8  # a 32-bit index and a float32 value


class SelectionOptions(AlgorithmOptions):
    """How many components are sent."""

    density: Annotated[float, Field(gt=0, le=1)] = 0.001
    """k / N: Shi's. At least one component."""
    k: Annotated[int, Field(ge=1)] | None = None
    """Takes the place of density."""


class WarmUpOptions(SelectionOptions):
    """More components in the first steps, and momentum after aggregation."""

    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9
    """Shi's, applied to the aggregated update: all workers have the same velocity."""
    warmup_steps: Annotated[int, Field(ge=0)] = 0
    """Steps that each of the warm-up's densities lasts: the paper's are an epoch. 0 (default): no warm-up."""
    warmup_densities: list[Annotated[float, Field(gt=0, le=1)]] = Field([0.004], min_length=1)
    """In turn, before density or k."""


def kept(options: SelectionOptions, parameters: int, t: int) -> int:
    """k of step t."""
    if isinstance(options, WarmUpOptions) and t <= options.warmup_steps * len(options.warmup_densities):
        return _of_density(options.warmup_densities[(t - 1) // options.warmup_steps], parameters)
    return options.k or _of_density(options.density, parameters)


def require_selectable(algorithm: str, worker: Worker, options: SelectionOptions) -> None:
    """ValueError for more components than there are, and for a codec: entries are not coded."""
    if options.k is not None and options.k > worker.parameters:
        raise ValueError(
            f"algorithm {algorithm}: option k is {options.k}, must be at most the number of parameters, "
            f"{worker.parameters}; lower it or set density"
        )
    if not worker.codec.exact:
        raise ValueError(
            f"algorithm {algorithm}: codec is {worker.codec.name}, must be an exact one such as fp32, as what is sent "
            "are selected values with their indices; leave codec out"
        )


@dataclass(frozen=True)
class Entries:
    """Components of a vector: int64 indices, ascending, and float32 values."""

    index: Tensor
    values: Tensor


def largest(vector: Tensor, k: int) -> Entries:
    """The k components that are largest in magnitude, with their signs."""
    index = largest_places(vector, k)
    return Entries(index, vector[index])


def merge(one: Entries, other: Entries) -> Entries:
    """The sum of two selections of k, cut to its own k largest (Shi 2019, equation 6)."""
    index, place = torch.unique(torch.cat([one.index, other.index]), return_inverse=True)
    total = torch.zeros(index.numel(), device=index.device)
    k = one.index.numel()
    total[place[:k]] = one.values
    total.index_add_(0, place[k:], other.values)
    chosen = largest(total, k)
    return Entries(index[chosen.index], chosen.values)


def survivors(index: Tensor, merged: Tensor, survives: Tensor) -> Tensor:
    """Which of `index` are in `merged` [k], ascending, at a place that `survives` [k]; bool."""
    place = torch.searchsorted(merged, index).clamp_(max=merged.numel() - 1)
    return (merged[place] == index) & survives[place]


def entry_bytes(entries: Entries) -> Bytes:
    """All indices, then all values."""
    return torch.cat([entries.index.to(torch.int32).view(torch.uint8), entries.values.view(torch.uint8)])


def entries_of(message: Bytes) -> Entries:
    """The inverse of `entry_bytes`."""
    half = message.numel() // 2
    index = message[:half].view(torch.int32).to(torch.int64)
    return Entries(index, message[half:].view(torch.float32))


def _of_density(density: float, parameters: int) -> int:
    return max(1, round(density * parameters))
