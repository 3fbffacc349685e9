"""A torch module whose parameters and gradients live in two flat vectors that others own."""

from __future__ import annotations

import torch
from torch import nn

from algorithms.algorithm import Layer


class FlatModel:
    """Points a module's parameters and gradients at flat vectors; binding costs no copy.

    Buffers are refused: the module's output must be a function of the flat vector and the batch alone, or
    workers with equal parameters would compute different gradients.
    """

    def __init__(self, module: nn.Module) -> None:
        if buffers := [name for name, _ in module.named_buffers()]:
            raise ValueError(f"model has state beside its parameters: {', '.join(buffers)}; build it without")
        self.module = module
        self.layers = layers_of(module)
        self.initial = torch.cat([parameter.detach().reshape(-1) for parameter in module.parameters()])
        self._bound: tuple[int, int | None] | None = None
        self.bind(self.initial, None)  # lets go of the module's own memory

    def bind(self, x: torch.Tensor, gradient: torch.Tensor | None) -> None:
        """Make every parameter a view into `x` and every `.grad` a view into `gradient`, both float32 [N].

        Without a gradient, for evaluation, no parameter has a `.grad`.
        """
        self._check("parameters", x)
        if gradient is not None:
            self._check("gradient", gradient)
        addresses = (x.data_ptr(), None if gradient is None else gradient.data_ptr())
        if addresses == self._bound:
            return
        for parameter, layer in zip(self.module.parameters(), self.layers, strict=True):
            parameter.grad = None  # a gradient of another device or address must not meet the new data
            parameter.data = x[layer.start : layer.stop].view(layer.shape)
            if gradient is not None:
                parameter.grad = gradient[layer.start : layer.stop].view(layer.shape)
        self._bound = addresses

    def _check(self, what: str, vector: torch.Tensor) -> None:
        size = self.layers[-1].stop
        if vector.shape != (size,) or vector.dtype != torch.float32 or not vector.is_contiguous():
            found = f"{vector.dtype} {tuple(vector.shape)}"
            raise ValueError(f"{what} must be contiguous torch.float32 ({size},), got {found}")


def layers_of(module: nn.Module) -> tuple[Layer, ...]:
    """The places of a module's parameters in the flat vector."""
    layers = []
    start = 0
    for name, parameter in module.named_parameters():
        stop = start + parameter.numel()
        layers.append(Layer(name=name, start=start, stop=stop, shape=tuple(parameter.shape)))
        start = stop
    return tuple(layers)
