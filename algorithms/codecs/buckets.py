"""Buckets: the runs of consecutive components of a vector that share a norm, a scale or a pair of means."""

from __future__ import annotations

import math
import zlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from algorithms.algorithm import Layer
from algorithms.codecs.codec import Codec
from algorithms.finite import require_finite

Bucket = Annotated[int, Field(ge=1, le=2**32 - 1)] | Literal["vector", "layer", "column"]
"""Components; `vector`: all; `layer`: those of a named tensor; `column`: those of one output unit of it.

A column is what belongs to one place of a tensor's first dimension (a row of torch's weight [out, in], which is a
column of W where z = W^T x); a tensor of one dimension is one column. Without layers the whole vector is one layer.
"""

FLOAT32_MAX = torch.finfo(torch.float32).max
_REDUCTIONS: dict[str, Callable[..., Tensor]] = {"sum": torch.sum, "max": torch.amax, "min": torch.amin}


class Buckets(ABC):
    """How vectors of one length are divided. `key` tells one division from another in a header."""

    count: int
    largest: int  # components of the largest; 1 for an empty vector
    key: int

    @abstractmethod
    def reduce(self, flat: Tensor, how: Literal["sum", "max", "min"]) -> Tensor:
        """The sum or the extreme of every bucket, float32 [count]."""

    @abstractmethod
    def l2(self, flat: Tensor) -> Tensor:
        """The l2 norm of every bucket, float32 [count]; it may overflow or vanish."""

    @abstractmethod
    def spread(self, values: Tensor) -> Tensor:
        """Each bucket's value at each of its components, [components]."""

    @abstractmethod
    def multiply_(self, flat: Tensor, factors: Tensor) -> Tensor:
        """Multiply the components of each bucket by its factor, in place; returns `flat`."""

    @abstractmethod
    def divide_(self, flat: Tensor, divisors: Tensor) -> Tensor:
        """Divide them."""

    @abstractmethod
    def sizes(self, device: torch.device) -> Tensor:
        """The components of every bucket, float32 [count]."""

    def shares(self, flat: Tensor, largest: Tensor) -> Tensor:
        """`flat` over each bucket's `largest` magnitude: of at most 1, so that no sum of them overflows."""
        return self.divide_(flat.clone(), torch.where(largest == 0, 1.0, largest))

    def magnitudes(self, flat: Tensor) -> Tensor:
        """Each bucket's largest magnitude; NonFiniteError."""
        largest = torch.maximum(self.reduce(flat, "max"), self.reduce(flat, "min").neg_())
        if not bool(torch.isfinite(largest).all()):
            require_finite(flat)  # names the component
        return largest


class Even(Buckets):
    """Buckets of `size` components, and of what is left over."""

    def __init__(self, size: int, components: int) -> None:
        self.largest = self.key = max(1, min(size, components))
        self.count = -(-components // self.largest)
        self._components = components
        self._whole = components // self.largest * self.largest

    def reduce(self, flat: Tensor, how: Literal["sum", "max", "min"]) -> Tensor:
        """By row of the whole buckets; the last one may be shorter."""
        return torch.cat([_REDUCTIONS[how](rows, dim=1) for rows in self._rows(flat)])

    def l2(self, flat: Tensor) -> Tensor:
        """By row."""
        return torch.cat([torch.linalg.vector_norm(rows, dim=1) for rows in self._rows(flat)])

    def spread(self, values: Tensor) -> Tensor:
        """Repeated by row."""
        spread = values.new_empty(self._components)
        for rows, part in zip(self._rows(spread), self._of_rows(values), strict=True):
            rows.copy_(part)
        return spread

    def multiply_(self, flat: Tensor, factors: Tensor) -> Tensor:
        """By row."""
        for rows, part in zip(self._rows(flat), self._of_rows(factors), strict=True):
            rows.mul_(part)
        return flat

    def divide_(self, flat: Tensor, divisors: Tensor) -> Tensor:
        """By row."""
        for rows, part in zip(self._rows(flat), self._of_rows(divisors), strict=True):
            rows.div_(part)
        return flat

    def sizes(self, device: torch.device) -> Tensor:
        """The last one may be smaller."""
        sizes = torch.full((self.count,), self.largest, dtype=torch.float32, device=device)
        sizes[self._whole // self.largest :] = self._components - self._whole
        return sizes

    def _rows(self, flat: Tensor) -> list[Tensor]:
        """Views [whole buckets, size] and, of the last bucket if it is shorter, [1, rest]."""
        parts = [flat[: self._whole].view(-1, self.largest)]
        return parts if flat.numel() == self._whole else [*parts, flat[self._whole :].view(1, -1)]

    def _of_rows(self, values: Tensor) -> list[Tensor]:
        """The buckets' values beside `_rows`, [buckets, 1]."""
        whole = self._whole // self.largest
        parts = [values[:whole].unsqueeze(1)]
        return parts if self.count == whole else [*parts, values[whole:].unsqueeze(1)]


class Uneven(Buckets):
    """Buckets of given lengths, all above zero."""

    def __init__(self, lengths: Sequence[int]) -> None:
        self._lengths = np.asarray(lengths, dtype=np.int64)
        self._on: dict[torch.device, Tensor] = {}
        self.count = len(lengths)
        self.largest = int(self._lengths.max())
        self.key = zlib.crc32(self._lengths.astype("<i8").tobytes())

    def reduce(self, flat: Tensor, how: Literal["sum", "max", "min"]) -> Tensor:
        """By segment, one component after the other: sums in float64, where none is too small to count."""
        exact = flat.double() if how == "sum" else flat
        return torch.segment_reduce(exact, how, lengths=self._lengths_on(flat.device), unsafe=True).float()

    def l2(self, flat: Tensor) -> Tensor:
        """By segment."""
        return self.reduce(flat.square(), "sum").sqrt_()

    def spread(self, values: Tensor) -> Tensor:
        """Repeated by segment."""
        lengths = self._lengths_on(values.device)
        return torch.repeat_interleave(values, lengths, output_size=int(self._lengths.sum()))

    def multiply_(self, flat: Tensor, factors: Tensor) -> Tensor:
        """By segment."""
        return flat.mul_(self.spread(factors))

    def divide_(self, flat: Tensor, divisors: Tensor) -> Tensor:
        """By segment."""
        return flat.div_(self.spread(divisors))

    def sizes(self, device: torch.device) -> Tensor:
        """The lengths."""
        return self._lengths_on(device).float()

    def _lengths_on(self, device: torch.device) -> Tensor:
        if device not in self._on:
            self._on[device] = torch.from_numpy(self._lengths).to(device)
        return self._on[device]


def are_scales(values: Tensor) -> bool:
    """Whether received norms, scales or magnitudes are what a codec writes: finite, and not negative."""
    return bool(((values >= 0) & (values <= FLOAT32_MAX)).all())


@dataclass(frozen=True)
class Span:
    """Components [start, stop) of the vector that `layers` make up."""

    layers: tuple[Layer, ...]
    start: int
    stop: int

    def edges(self, bucket: str) -> list[int]:
        """Where buckets of this span begin, counted from the whole vector's start, and where the last one ends."""
        edges = {edge for layer in self.layers for edge in _edges(layer, bucket) if self.start < edge < self.stop}
        return sorted(edges | {self.start, self.stop})


def _edges(layer: Layer, bucket: str) -> range:
    column = math.prod(layer.shape[1:]) if len(layer.shape) > 1 and bucket == "column" else layer.stop - layer.start
    return range(layer.start, layer.stop + 1, max(1, column))


class BucketedCodec(Codec):
    """Base of codecs with an option `bucket`: knows the layers of its vectors if that needs them."""

    def __init__(self, options: Any) -> None:
        super().__init__(options)
        self.span: Span | None = None
        self._whole: BucketedCodec | None = None  # what this is a part of
        self._parts: dict[tuple[int, int], Codec] = {}
        self._known: dict[int, Buckets] = {}

    def on(self, layers: Sequence[Layer]) -> Codec:
        """Another one that knows where layers begin; itself, if its buckets are counted."""
        if not layers or self.options.bucket not in ("layer", "column"):
            return self
        return self._over(Span(tuple(layers), layers[0].start, layers[-1].stop), None)

    def part(self, start: int, stop: int) -> Codec:
        """The same one for the same part, so that scratch space is kept."""
        if self.span is None or (start, stop) == (self.span.start, self.span.stop):
            return self
        if (start, stop) not in self._parts:
            self._parts[start, stop] = self._over(Span(self.span.layers, start, stop), self)
        return self._parts[start, stop]

    def buckets(self, count: int) -> Buckets:
        """The division of vectors of `count` components."""
        if count not in self._known:
            self._known[count] = self._divide(count)
        return self._known[count]

    def _over(self, span: Span, whole: BucketedCodec | None) -> BucketedCodec:
        codec = type(self)(self.options)
        codec.span, codec._whole = span, whole
        return codec

    def _divide(self, count: int) -> Buckets:
        bucket = self.options.bucket
        if isinstance(bucket, int):
            return Even(bucket, count)
        if self.span is None or count == 0:
            return Even(count, count)
        if self.span.stop - self.span.start != count:
            raise ValueError(
                f"codec {self.name}: a vector has {count} components, but the layers that it is made of have "
                f"{self.span.stop - self.span.start}; say which part of them it is"
            )
        return Uneven(np.diff(self.span.edges(bucket)).tolist())
