"""What sparse codecs share: how many components they keep, and how sorted indices and values become bytes."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Annotated, Any, Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor

from algorithms.algorithm import Bytes
from algorithms.codecs.codec import bytes_of, values_of
from algorithms.codecs.packing import (
    pack_flags,
    pack_integers,
    packed_bytes,
    unpack_flags,
    unpack_integers,
)
from algorithms.finite import NonFiniteError
from algorithms.options import Options

DEFAULT_DENSITY = 0.001  # Shi et al. 2019
INDEX_FORMS = ("int32", "elias-fano")
VALUE_FORMS = ("fp32", "fp16")
SAMPLED = 64  # one component in as many
MOST_OF_IT = 0.25  # of a vector, that is looked for by a bound: above it, too little is left out
PIECE = 2**18  # components: 1 MiB
VALUE_TYPES = {"fp32": torch.float32, "fp16": torch.float16}


class SparseOptions(Options):
    """How many components are kept, and in what precision."""

    density: Annotated[float, Field(gt=0, le=1)] | None = None
    """The share that is kept, at least one component. 0.001, if `k` does not say how many."""
    k: Annotated[int, Field(ge=1, le=2**32 - 1)] | None = None
    """How many."""
    values: Literal["fp32", "fp16"] = "fp32"
    """fp16 is rounded to nearest; a value beyond 65504 is refused."""

    @model_validator(mode="before")
    @classmethod
    def _size(cls, values: Any) -> Any:
        if values.get("density") is not None and values.get("k") is not None:
            raise ValueError("options density and k both say how many components are kept; leave one out")
        given = any(values.get(name) is not None for name in ("density", "k"))
        return values if given else {**values, "density": DEFAULT_DENSITY}

    def kept(self, name: str, count: int) -> int:
        """k of `count` components; ValueError if there are not as many."""
        if self.density is not None:
            return min(count, max(1, round(self.density * count)))
        k = self.k or 0
        if count and k > count:
            raise ValueError(
                f"codec {name}: option k is {k}, must be at most the vector's {count} components; lower it"
            )
        return min(k, count)


def largest_places(flat: Tensor, k: int) -> Tensor:
    """The places of the `k` largest magnitudes, ascending, int64; of equal ones some, always the same.

    Of a long vector the small ones are first left out by a bound that a sample of it gives: torch.topk copies all
    that it selects from into pairs of 16 bytes, of 66 million components 1 GB.
    """
    if flat.numel() > PIECE and k <= MOST_OF_IT * flat.numel():
        bound = _bound(flat, k)
        above = _places(flat, torch.gt, bound)
        if above.numel() >= k:
            return above[_top(flat[above].abs(), k)]
        equal = _places(flat, torch.eq, bound, k - above.numel())
        if above.numel() + equal.numel() == k:
            return torch.cat([above, equal]).sort().values
    return _top(flat.abs(), k)


def low_bits(k: int, count: int) -> int:
    """Of an index in the Elias-Fano form, those that are written as they are: floor(log2(N / k))."""
    return (count // k).bit_length() - 1 if k else 0


def index_bytes(form: str, k: int, count: int) -> int:
    """int32: 4 k. elias-fano: ceil(k l / 8) + ceil((k + floor((N - 1) / 2^l)) / 8), l = floor(log2(N / k)).

    The latter is at most about 2 + log2(N / k) bits for each.
    """
    if form == "int32" or k == 0:
        return 4 * k
    low = low_bits(k, count)
    return packed_bytes(k, low) + packed_bytes(_marks(k, count, low), 1)


def write_indices(form: str, indices: Tensor, count: int) -> Bytes:
    """Bytes of ascending int64 `indices` below `count`.

    Elias-Fano (Elias 1974, Fano 1971): the low bits packed; of the high parts h_i, which ascend, the bits i + h_i set:
    their gaps in unary. It is delta coding whose size does not depend on the data.
    """
    if form == "int32":
        return bytes_of(indices.to(torch.int32))  # above 2^31 - 1 it wraps, and back in `read_indices`
    k = indices.numel()
    low = low_bits(k, count)
    marks = torch.zeros(_marks(k, count, low), dtype=torch.bool, device=indices.device)
    marks[(indices >> low) + torch.arange(k, device=indices.device)] = True
    lows = [pack_integers(indices.bitwise_and((1 << low) - 1), low)] if low else []
    return torch.cat([*lows, pack_flags(marks)])


def read_indices(form: str, part: Bytes, k: int, count: int) -> Tensor | None:
    """The inverse: `k` int64, ascending and below `count`; None if they are not."""
    if form == "int32":
        indices = values_of(part, torch.int32).to(torch.int64).bitwise_and_(2**32 - 1)
    else:
        low = low_bits(k, count)
        split, marks = packed_bytes(k, low), _marks(k, count, low)
        places = unpack_flags(part[split:], marks).nonzero().view(-1)
        if places.numel() != k:
            return None
        indices = places.sub_(torch.arange(k, device=part.device)).bitwise_left_shift_(low)
        if low:
            lows = unpack_integers(part[:split], low, k).to(torch.int64)
            indices.bitwise_or_(lows.bitwise_and_((1 << low) - 1))
    ascending = bool((indices.diff() > 0).all()) and int(indices[-1]) < count
    return indices if ascending else None


def value_bytes(form: str, k: int) -> int:
    """4 k or 2 k."""
    return VALUE_TYPES[form].itemsize * k


def write_values(form: str, values: Tensor, indices: Tensor) -> Bytes:
    """Bytes of float32 `values`, whose places are `indices`; NonFiniteError for what fp16 cannot hold."""
    rounded = values.to(VALUE_TYPES[form])
    beyond = ~torch.isfinite(rounded)
    if bool(beyond.any()):
        place = int(beyond.nonzero()[0].item())
        reason = "fp16 ends at 65504; set values: fp32, or lower the learning rate"
        raise NonFiniteError(int(indices[place].item()), float(values[place].item()), reason)
    return bytes_of(rounded)


def read_values(form: str, part: Bytes) -> Tensor | None:
    """The inverse, float32; None if one is not finite."""
    values = values_of(part, VALUE_TYPES[form]).float()
    return values if bool(torch.isfinite(values).all()) else None


def _top(magnitudes: Tensor, k: int) -> Tensor:
    return torch.topk(magnitudes, k, sorted=False).indices.sort().values


def _bound(flat: Tensor, k: int) -> Tensor:
    """A magnitude that in all probability k of the vector reach, and not many more: by a sample, k's share and some."""
    sample = flat[::SAMPLED].abs()
    share = k / SAMPLED
    reached = min(sample.numel(), math.ceil(share + 4 * math.sqrt(share) + 4))
    return torch.topk(sample, reached, sorted=False).values.min()


def _places(flat: Tensor, relation: Callable[..., Tensor], bound: Tensor, most: int | None = None) -> Tensor:
    """The places of the first `most` magnitudes in that relation to `bound`, ascending.

    Piece by piece, which stay in a processor's cache.
    """
    found: list[Tensor] = []
    for number, piece in enumerate(torch.split(flat, PIECE)):
        found.append(relation(piece.abs(), bound).nonzero().view(-1).add_(number * PIECE))
        if most is not None and sum(map(len, found)) >= most:
            break
    return torch.cat(found)[:most]


def _marks(k: int, count: int, low: int) -> int:
    """Bits of the high parts: one for each index and for each high part that is passed."""
    return k + ((count - 1) >> low)
