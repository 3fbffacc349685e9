"""Refusing NaN and infinity before they reach other workers."""

from __future__ import annotations

import math

import torch
from torch import Tensor


class NonFiniteError(ValueError):
    """A vector holds NaN, infinity, or what a codec's format makes infinite; `index` is the first such component.

    `reason` says the rule and the remedy.
    """

    def __init__(
        self,
        index: int,
        value: float,
        reason: str = "only finite values can be sent; lower the learning rate or use more bits",
    ) -> None:
        self.index = index
        self.value = value
        self.reason = reason
        super().__init__(f"component {index} is {value}, but {reason}")


class UnsendableError(ValueError):
    """A worker's vector holds NaN or infinity: the training diverged. Says whose, where and when."""


def require_finite(vector: Tensor) -> None:
    """Raise NonFiniteError unless every component of the flat `vector` is finite.

    What is NaN or infinite makes a sum so, whatever is added: one pass over memory, the cheapest there is. A sum of
    finite values may be too large as well, so that it alone refuses nothing.
    """
    if vector.numel() == 0 or math.isfinite(vector.sum().item()):
        return
    at = torch.isfinite(vector).logical_not_().nonzero()
    if at.numel() == 0:
        return
    index = int(at[0].item())
    raise NonFiniteError(index, vector[index].item())
