"""Elias's omega code, and streams of words of different lengths, written and read in parallel.

A word is the low `length` bits of an int64, most significant bit first. A stream is cut into blocks of equally many
symbols, whose lengths are sent beside it: blocks are read side by side, one symbol of each at a time.
"""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor

from algorithms.algorithm import Bytes

LONGEST_VALUE = 34  # bits of the largest value that is coded
WORD = 64
_TABLE = 2**12  # values from 1 on whose codes are looked up: most are small
_HEAD = 12  # bits that hold all groups of a code but its last one
_WINDOW = 56  # bits that are read at once, from a whole byte on


def omega_bits(value: int) -> int:
    """The length of the code of `value` >= 1."""
    size = value.bit_length()
    return 1 if value == 1 else _prefix(size - 1)[1] + size + 1


def omega(values: Tensor) -> tuple[Tensor, Tensor]:
    """Codes and lengths, int64, of int64 `values` from 1 to 2^34 - 1.

    The recursive code of Elias 1975: a value in binary, before it its length less 1 in the same code without the end,
    after it a 0; 1 is that 0 alone.
    """
    if values.numel() and int(values.max()) >= _TABLE:
        return _omega(values)
    codes, lengths = _table(values.device)
    return codes.index_select(0, values), lengths.index_select(0, values)


def write(words: Tensor, lengths: Tensor) -> Bytes:
    """The words one behind the other, int64 of 1 to 63 bits each, filled up with zeros to a whole byte."""
    ends = lengths.cumsum(0)
    total = int(ends[-1].item()) if ends.numel() else 0
    starts = ends - lengths
    place = starts.bitwise_right_shift(6)
    room = WORD - (starts.bitwise_and(63) + lengths)  # bits left in the word it begins in; below zero: it goes on
    stream = torch.zeros(total // WORD + 2, dtype=torch.int64, device=words.device)
    over = (-room).clamp_(min=0)
    # Bits of different words never overlap, so that adding is setting them.
    stream.index_add_(0, place, (words >> over) << room.clamp(min=0))
    rest = torch.where(over > 0, words << (WORD - over).clamp_(max=WORD - 1), 0)
    stream.index_add_(0, place.add_(1), rest)
    return stream.view(torch.uint8).view(-1, 8).flip(1).view(-1)[: -(-total // 8)]


class Reader:
    """Reads from many places of a stream at once. Reading past the end gives zeros."""

    def __init__(self, stream: Bytes, starts: Tensor) -> None:
        """`starts`: int64, the bit that each place begins with."""
        self.at = starts.clone()
        self._windows = _windows(stream)
        self._last = self._windows.numel() - 1
        self._offsets, self._sizes = _heads(stream.device)

    def bit(self) -> Tensor:
        """The next bit of every place, int64; `skip` goes past it."""
        windows, offset = self._look()
        return (windows >> (_WINDOW - 1 - offset)).bitwise_and_(1)

    def omega(self) -> Tensor:
        """The next value of every place, read and passed."""
        windows, offset = self._look()
        head = (windows >> (_WINDOW - _HEAD - offset)).bitwise_and_((1 << _HEAD) - 1)
        before, size = self._offsets.index_select(0, head), self._sizes.index_select(0, head)
        # The last group: `size` bits behind `before` others. A 1 has none.
        below = (_WINDOW - offset).sub_(before).sub_(size)
        values = (windows >> below).bitwise_and_((1 << size) - 1)
        self.at.add_(before).add_(size).add_(1)
        return values.clamp_(min=1)

    def skip(self, bits: Tensor) -> None:
        """Go on by as many bits, of every place its own."""
        self.at.add_(bits)

    def _look(self) -> tuple[Tensor, Tensor]:
        """56 bits from the byte of every place, and the place's bit in them."""
        place = self.at.bitwise_right_shift(3).clamp_(max=self._last)
        return self._windows.index_select(0, place), self.at.bitwise_and(7)


def _omega(values: Tensor) -> tuple[Tensor, Tensor]:
    sizes = torch.bucketize(values, _powers(values.device), right=True)  # bits of each
    prefixes, prefix_sizes = _prefixes(values.device)
    codes = prefixes.index_select(0, sizes).bitwise_left_shift_(sizes).bitwise_or_(values).bitwise_left_shift_(1)
    lengths = prefix_sizes.index_select(0, sizes).add_(sizes).add_(1)
    one = values == 1
    return codes.masked_fill_(one, 0), lengths.masked_fill_(one, 1)


@cache
def _table(device: torch.device) -> tuple[Tensor, Tensor]:
    """Codes and lengths by value, of the values below _TABLE; there is none of 0."""
    return _omega(torch.arange(_TABLE, device=device))


def _windows(stream: Bytes) -> Tensor:
    """For every byte of the stream, and one behind it, the 56 bits from there on as an int64."""
    count = stream.numel()
    filled = torch.zeros(count + 8, dtype=torch.int64, device=stream.device)
    filled[:count].copy_(stream)
    windows = torch.zeros(count + 1, dtype=torch.int64, device=stream.device)
    for place in range(_WINDOW // 8):
        windows.bitwise_left_shift_(8).bitwise_or_(filled[place : place + count + 1])
    return windows


def _prefix(value: int) -> tuple[int, int]:
    """The groups that say the length less 1, `value`, of the last one: as a number, and how many bits."""
    if value <= 1:
        return 0, 0
    size = value.bit_length()
    code, length = _prefix(size - 1)
    return code << size | value, length + size


@cache
def _powers(device: torch.device) -> Tensor:
    return torch.tensor([1 << size for size in range(LONGEST_VALUE)], dtype=torch.int64, device=device)


@cache
def _prefixes(device: torch.device) -> tuple[Tensor, Tensor]:
    """By the size of a value in bits, what comes before it, and how long that is."""
    codes, lengths = zip(*(_prefix(size - 1) for size in range(LONGEST_VALUE + 1)), strict=True)
    return (
        torch.tensor(codes, dtype=torch.int64, device=device),
        torch.tensor(lengths, dtype=torch.int64, device=device),
    )


@cache
def _heads(device: torch.device) -> tuple[Tensor, Tensor]:
    """By the first 12 bits of a code, the bits before its last group and that group's own."""
    found = [_last_group(format(head, f"0{_HEAD}b")) for head in range(1 << _HEAD)]
    before, size = zip(*found, strict=True)
    return (
        torch.tensor(before, dtype=torch.int64, device=device),
        torch.tensor(size, dtype=torch.int64, device=device),
    )


def _last_group(head: str) -> tuple[int, int]:
    """Where the group is that is followed by a 0, or that is too long to have another behind it."""
    start, size, value = 0, 0, 1
    while head[start + size] == "1":
        start, size = start + size, value + 1
        if start + size >= _HEAD:
            break
        value = int(head[start : start + size], 2)
    return start, min(size, LONGEST_VALUE)
