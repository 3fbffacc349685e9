"""Codings: how the levels of a quantized vector, integers k_i with |k_i| <= s, become bits."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from algorithms.algorithm import Bytes
from algorithms.codecs.bits import Reader, omega, omega_bits, write
from algorithms.codecs.codec import bytes_of, values_of
from algorithms.codecs.expectation import Spread
from algorithms.codecs.packing import BYTE, pack_integers, packed_bytes, unpack_integers

DENSE_BLOCK = 512  # symbols: 16 bits of length for each are 1 % of what they are the length of
SPARSE_BLOCK = 64
PART = 8  # symbols of a block that are read one after the other; a power of two
SIDE_BY_SIDE = 100  # blocks: as many are read fast as they are
_BLOCK_BYTES = 2  # of a block's length in bits: at most 64 x 81
_ELIAS_HEAD = 8  # bytes: the number of levels that are not 0 in the sparse form, or DENSE
_DENSE = -1
_FITTED_HEAD = 1  # byte: the width


class CodingError(ValueError):
    """Bits that are no code of as many levels; what is wrong, to go behind `payload of 9 bytes`."""


class Coding(ABC):
    """Levels to bits and back. `fixed`: their size depends on s and their number alone."""

    fixed = True

    @abstractmethod
    def encode(self, levels: Tensor, s: int) -> Bytes:
        """The bits of float32 `levels`, at least one."""

    @abstractmethod
    def decode(self, body: Bytes, s: int, count: int) -> Tensor:
        """`count` levels, of an integer type; CodingError."""

    @abstractmethod
    def max_bytes(self, s: int, count: int) -> int:
        """The most bytes that `count` levels take."""

    @abstractmethod
    def mean_bytes(self, s: int, count: int, spread: Spread) -> float:
        """The expectation of the bytes that they take."""


class Fixed(Coding):
    """1 + ceil(log2(s + 1)) bits each: sign and level in two's complement."""

    def encode(self, levels: Tensor, s: int) -> Bytes:
        """Packed."""
        return pack_integers(levels, _width(s))

    def decode(self, body: Bytes, s: int, count: int) -> Tensor:
        """Unpacked."""
        if body.numel() != self.max_bytes(s, count):
            raise CodingError(f"has {body.numel()} bytes of levels, must have {self.max_bytes(s, count)}")
        return unpack_integers(body, _width(s), count)

    def max_bytes(self, s: int, count: int) -> int:
        """ceil(N (1 + ceil(log2(s + 1))) / 8)."""
        return packed_bytes(count, _width(s))

    def mean_bytes(self, s: int, count: int, spread: Spread) -> float:
        """The same."""
        del spread
        return self.max_bytes(s, count)


class Fitted(Coding):
    """1 + ceil(log2(k + 1)) bits each, k the largest level that there is: the width before them, in a byte.

    With the l2 norm k is about s max|v| / norm, far below s: the bits that Jiang & Agrawal 2018 count, in section 3.3
    (without the sign and the level 0).
    """

    fixed = False

    def encode(self, levels: Tensor, s: int) -> Bytes:
        """Width and packed levels."""
        del s
        low, high = torch.aminmax(levels)
        width = _width(int(max(-low.item(), high.item())))
        return torch.cat([_bytes(width, _FITTED_HEAD, levels.device), pack_integers(levels, width)])

    def decode(self, body: Bytes, s: int, count: int) -> Tensor:
        """Unpacked."""
        width = int(body[0].item()) if body.numel() else 0
        size = _FITTED_HEAD + packed_bytes(count, width)
        if not 1 <= width <= _width(s) or body.numel() != size:
            raise CodingError(f"has {body.numel()} bytes of levels, {width} bits each, must have {size}")
        return unpack_integers(body[_FITTED_HEAD:], width, count)

    def max_bytes(self, s: int, count: int) -> int:
        """1 + ceil(N (1 + ceil(log2(s + 1))) / 8)."""
        return _FITTED_HEAD + packed_bytes(count, _width(s)) if count else 0

    def mean_bytes(self, s: int, count: int, spread: Spread) -> float:
        """With the width of the expected largest level."""
        return _FITTED_HEAD + packed_bytes(count, _width(min(s, spread.largest_level(count)))) if count else 0


class Elias(Coding):
    """Elias's omega code, in the shorter of two forms (QSGD, section 3; in full in arXiv:1610.02132, section 3.2).

    Dense: of every level the code of |k| + 1 and, unless it is 0, a sign bit. Sparse: of every level that is not 0 the
    code of its distance from the one before, a sign bit, and the code of |k|. Before them the number of the latter,
    and the bits of every block of 512 (dense) or 64 (sparse) symbols, 16 bits each, so that blocks can be read at once.
    """

    fixed = False

    def encode(self, levels: Tensor, s: int) -> Bytes:
        """Both forms' lengths are known before either is written."""
        del s
        whole = levels.to(torch.int64)
        places = whole.nonzero().view(-1)
        dense, sparse = _dense_words(whole), _sparse_words(whole[places], places)
        if _total_bits(sparse, SPARSE_BLOCK) < _total_bits(dense, DENSE_BLOCK):
            return _written(sparse, SPARSE_BLOCK, len(places))
        return _written(dense, DENSE_BLOCK, _DENSE)

    def decode(self, body: Bytes, s: int, count: int) -> Tensor:
        """By the form that its head says."""
        if body.numel() < _ELIAS_HEAD:
            raise CodingError(f"ends after {body.numel()} bytes of levels")
        nonzero = int(values_of(body[:_ELIAS_HEAD], torch.int64).item())
        if not _DENSE <= nonzero <= count:
            raise CodingError(f"has {nonzero} levels that are not 0, of {count}")
        stream = body[_ELIAS_HEAD:]
        levels = _read_dense(stream, count) if nonzero == _DENSE else _read_sparse(stream, nonzero, count)
        if int(levels.abs().max()) > s:
            raise CodingError(f"has a level above {s}")
        return levels

    def max_bytes(self, s: int, count: int) -> int:
        """8 + 2 ceil(N / 512) + ceil(N (1 + bits of s + 1) / 8): the dense form of nothing but levels s."""
        if not count:
            return 0
        return _ELIAS_HEAD + _BLOCK_BYTES * -(-count // DENSE_BLOCK) + packed_bytes(count, 1 + omega_bits(s + 1))

    def mean_bytes(self, s: int, count: int, spread: Spread) -> float:
        """Of the form that is shorter in expectation."""
        if not count:
            return 0
        dense = spread.mean_dense_bits() / BYTE + _BLOCK_BYTES / DENSE_BLOCK
        share = spread.nonzero()
        sparse = share * (spread.mean_sparse_bits() / BYTE + _BLOCK_BYTES / SPARSE_BLOCK)
        return min(_ELIAS_HEAD + count * min(dense, sparse), self.max_bytes(s, count))


CODINGS: Mapping[str, Coding] = {"fixed": Fixed(), "fitted": Fitted(), "elias": Elias()}

Symbol = Callable[[Reader], tuple[Tensor, ...]]  # reads the next one of every place
Words = list[tuple[Tensor, Tensor]]  # of every symbol one behind the other: code words and their lengths


def _width(largest: int) -> int:
    return 1 + largest.bit_length()


def _dense_words(levels: Tensor) -> Words:
    magnitudes = levels.abs()
    words, lengths = omega(magnitudes + 1)
    some = magnitudes.clamp(max=1)
    return [((words << some) | (levels < 0), lengths + some)]


def _sparse_words(levels: Tensor, places: Tensor) -> Words:
    distances = places.diff(prepend=places.new_full((1,), -1))
    words, lengths = omega(levels.abs())
    # The sign bit is the first of the second word: before a code of `lengths` bits.
    return [omega(distances), (words | ((levels < 0).to(torch.int64) << lengths), lengths + 1)]


def _total_bits(words: Words, block: int) -> int:
    symbols = words[0][1].numel()
    return sum(int(lengths.sum().item()) for _, lengths in words) + _BLOCK_BYTES * BYTE * -(-symbols // block)


def _written(words: Words, block: int, form: int) -> Bytes:
    lengths = torch.stack([each for _, each in words], dim=1)  # [symbols, words of each]
    blocks = lengths.sum(dim=1)
    blocks = torch.nn.functional.pad(blocks, (0, -len(blocks) % block)).view(-1, block).sum(dim=1)
    stream = write(torch.stack([each for each, _ in words], dim=1).view(-1), lengths.view(-1))
    head = _bytes(form, _ELIAS_HEAD, stream.device)
    return torch.cat([head, bytes_of(blocks.to(torch.int16)), stream])


def _read_dense(body: Bytes, count: int) -> Tensor:
    def symbol(reader: Reader) -> Tensor:
        magnitudes = reader.omega().sub_(1)
        levels = torch.where(reader.bit() == 1, -magnitudes, magnitudes)
        reader.skip(magnitudes.clamp_(max=1))
        return levels

    (levels,) = _read(body, count, DENSE_BLOCK, lambda reader: (symbol(reader),))
    return levels


def _read_sparse(body: Bytes, nonzero: int, count: int) -> Tensor:
    def symbol(reader: Reader) -> tuple[Tensor, Tensor]:
        distances, signs = reader.omega(), reader.bit()
        reader.skip(torch.ones_like(signs))
        magnitudes = reader.omega()
        return distances, torch.where(signs == 1, -magnitudes, magnitudes)

    if nonzero == 0 and body.numel() == 0:
        return torch.zeros(count, dtype=torch.int64, device=body.device)
    distances, values = _read(body, nonzero, SPARSE_BLOCK, symbol)
    places = distances.cumsum(0).sub_(1)
    if int(places[-1].item()) >= count:
        raise CodingError(f"has a level at component {int(places[-1].item())} of {count}")
    return torch.zeros(count, dtype=torch.int64, device=body.device).index_copy_(0, places, values)


def _read(body: Bytes, symbols: int, block: int, symbol: Symbol) -> tuple[Tensor, ...]:
    """What `symbol` reads of every symbol, in order: a block's next one, of all blocks at once, `block` times."""
    if symbols == 0:
        raise CodingError(f"has {body.numel()} bytes for no levels")
    ends, stream = _blocks(body, -(-symbols // block))
    reader = Reader(stream, ends - ends.diff(prepend=ends.new_zeros(1)))
    if ends.numel() < SIDE_BY_SIDE:
        starts = _starts(reader, int(ends[-1].item()), block, symbol)[: -(-symbols // PART)]
        block, ends, reader.at = PART, torch.cat([starts[1:], ends[-1:]]), starts.clone()
    in_last = (symbols - 1) % block + 1  # what the last block's places read beyond that is dropped below
    read = []
    for index in range(min(block, symbols)):
        read.append(symbol(reader))
        if index == in_last - 1:
            last = reader.at[-1].clone()
    reader.at[-1] = last
    if not torch.equal(reader.at, ends):
        raise CodingError("has a block of levels that does not end where it should")
    return tuple(torch.stack(each, dim=1).view(-1)[:symbols] for each in zip(*read, strict=True))


def _starts(reader: Reader, end: int, block: int, symbol: Symbol) -> Tensor:
    """Where the parts of blocks begin, in bits, from where `reader` is: of few blocks, which would be read slowly.

    What follows a symbol is found for one that begins at any bit; from there on by doubling.
    """
    parts = [reader.at]
    reader.at = torch.arange(end + 1, device=reader.at.device)
    symbol(reader)
    after = reader.at.clamp_(max=end)
    for _ in range(PART.bit_length() - 1):
        after = after.index_select(0, after)
    for _ in range(block // PART - 1):
        parts.append(after.index_select(0, parts[-1]))
    return torch.stack(parts, dim=1).view(-1)


def _blocks(body: Bytes, blocks: int) -> tuple[Tensor, Bytes]:
    """Where every block ends, in bits, int64; and the stream."""
    head = body[: _BLOCK_BYTES * blocks]
    sizes = values_of(head, torch.int16).to(torch.int64) if head.numel() == _BLOCK_BYTES * blocks else None
    if sizes is None or bool((sizes <= 0).any()):
        raise CodingError(f"has not the lengths of {blocks} blocks of levels")
    ends, stream = sizes.cumsum(0), body[_BLOCK_BYTES * blocks :]
    if stream.numel() != packed_bytes(1, int(ends[-1].item())):
        raise CodingError(f"has {stream.numel()} bytes of blocks, must have {packed_bytes(1, int(ends[-1].item()))}")
    return ends, stream


def _bytes(value: int, size: int, device: torch.device) -> Bytes:
    return torch.frombuffer(bytearray(value.to_bytes(size, "little", signed=value < 0)), dtype=torch.uint8).to(device)
