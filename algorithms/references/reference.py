"""What references share: the state X [worker, parameter] and the rules of seeding."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from algorithms.algorithm import Layer
from algorithms.codecs.codec import Codec
from algorithms.randomness import generator_of
from algorithms.registration import Registry

Matrix = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What all workers have in common."""

    codec: Codec
    options: Any  # of the algorithm, as its `Options`
    W: Matrix | None = None  # [phase, worker, worker]; decentralized algorithms only
    seed: int = 1
    layers: Sequence[Layer] = ()  # that the codec is on; () where it makes no difference


class Reference(ABC):
    """An algorithm in matrix form, in float64: rows of X are the workers' models, one call steps them all."""

    def __init__(self, X: Matrix, setting: Setting) -> None:
        self.X = np.array(X, dtype=np.float64)
        self.setting = setting
        self.V = np.zeros_like(self.X)

    def W(self, t: int) -> Matrix:  # noqa: N802  # the papers' symbol
        """The mixing matrix [worker, worker] of step t."""
        if self.setting.W is None:
            raise ValueError("setting has no W, but a decentralized reference needs a mixing matrix; give one")
        return np.asarray(self.setting.W[(t - 1) % len(self.setting.W)])

    @abstractmethod
    def step(self, G: Matrix, t: int, rate: float) -> None:
        """Step t = 1, 2, ...; row i of G is worker i's gradient at row i of X."""

    def direction(self, G: Matrix, scale: float = 1.0) -> Matrix:
        """V <- m V + G + w X, and V is the direction. `scale`: that of G, and so of w."""
        options = self.setting.options
        self.V = options.momentum * self.V + G + scale * options.weight_decay * self.X
        return self.V

    def generators(self, t: int) -> list[torch.Generator]:
        """Every worker's random numbers in step t."""
        return [generator_of(self.setting.seed, worker, t) for worker in range(len(self.X))]

    def compress(self, Z: Matrix, t: int) -> Matrix:
        """C applied to each worker's row."""
        return np.stack([self.coded(z, draws) for z, draws in zip(Z, self.generators(t), strict=True)])

    def coded(self, z: Matrix, draws: torch.Generator, start: int = 0) -> Matrix:
        """decode(encode(z)) of one vector, or of the part that begins at `start`; a codec takes float32."""
        codec = self.setting.codec.part(start, start + z.size)
        out = torch.empty(z.size)
        codec.decode(codec.encode(torch.from_numpy(z.astype(np.float32)), draws).clone(), out)
        return out.double().numpy()


REFERENCES: Registry[type[Reference]] = Registry("reference", "algorithms.references")
