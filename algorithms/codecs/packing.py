"""Packing small integers: b bits each, least significant bits first; and ternary digits, five to a byte."""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor

from algorithms.algorithm import Bytes

GROUP = 8  # codes per word: 8 codes of b <= 8 bits fill b bytes of a 64-bit word
BYTE = 8  # bits
TRITS = 5  # to a byte: 3^5 = 243
_WORDS = {1: torch.uint8, 2: torch.int16, 4: torch.int32}  # by bits of a code, what holds 8 of them


def packed_bytes(count: int, bits: int) -> int:
    """ceil(count * bits / 8)."""
    return -(-count * bits // BYTE)


def padded(count: int) -> int:
    """`count` rounded up to whole groups."""
    return -(-count // GROUP) * GROUP


def pack(codes: Tensor, bits: int, count: int) -> Bytes:
    """The low `bits` bits (1..8) of the first `count` of int8 `codes` (`padded(count)` of them) as uint8.

    Code i takes bits [i*b, (i+1)*b) of the little-endian result. The view of words as bytes relies on a
    little-endian machine, which every platform of torch's wheels is.
    """
    if bits == BYTE:
        return codes[:count].view(torch.uint8)
    words = codes.view(torch.int64).bitwise_and(_lanes(bits, BYTE))  # a word of 8 codes, each in a lane of 8 bits
    for lane, width in _doublings(bits):
        lower = _lanes(width, 2 * lane)
        words = (words & lower).bitwise_or_(words.bitwise_right_shift_(lane - width).bitwise_and_(lower << width))
    if bits in _WORDS:
        return words.to(_WORDS[bits]).view(torch.uint8)[: packed_bytes(count, bits)]
    used = words.view(torch.uint8).view(-1, GROUP)[:, :bits]  # [words, b]: the top 8 - b bytes are empty
    return used.reshape(-1)[: packed_bytes(count, bits)]


def unpack(packed: Bytes, bits: int, count: int) -> Tensor:
    """The inverse of `pack`: `count` int8 codes, sign extended.

    `packed` is uint8, `packed_bytes(count, bits)` long.
    """
    if bits == BYTE:
        return packed.view(torch.int8)
    words = _words(packed, bits, padded(count) // GROUP)
    for lane, width in reversed(_doublings(bits)):
        lower = _lanes(width, 2 * lane)
        words = (words & lower).bitwise_or_(words.bitwise_left_shift_(lane - width).bitwise_and_(lower << lane))
    sign = 1 << (bits - 1)
    return words.view(torch.int8)[:count].bitwise_xor_(sign).sub_(sign)


def pack_integers(values: Tensor, bits: int) -> Bytes:
    """The low `bits` bits (1..32) of integers, which may be floats, packed: first all the lowest bytes, then the next.

    As long as `packed_bytes`, as a plane of whole bytes leaves nothing over.
    """
    count = values.numel()
    if bits > BYTE:
        wide = values.to(torch.int64)
        low = wide.bitwise_and(255).to(torch.uint8)
        return torch.cat([low, pack_integers(wide.bitwise_right_shift_(BYTE), bits - BYTE)])
    codes = torch.empty(padded(count), dtype=torch.int8, device=values.device)
    codes[count:].zero_()
    codes[:count].copy_(values if values.is_floating_point() else _signed_byte(values))
    return pack(codes, bits, count)


def unpack_integers(packed: Bytes, bits: int, count: int) -> Tensor:
    """The inverse: `count` int8, or from 9 bits on int32, sign extended."""
    if bits <= BYTE:
        return unpack(packed, bits, count)
    high = unpack_integers(packed[count:], bits - BYTE, count).to(torch.int32)
    return high.bitwise_left_shift_(BYTE).bitwise_or_(packed[:count])


def pack_flags(flags: Tensor) -> Bytes:
    """Booleans, one bit each."""
    return pack_integers(flags, 1)


def unpack_flags(packed: Bytes, count: int) -> Tensor:
    """The inverse: `count` booleans."""
    return unpack(packed, 1, count) != 0


def trit_bytes(count: int) -> int:
    """ceil(count / 5)."""
    return -(-count // TRITS)


def pack_trits(digits: Tensor) -> Bytes:
    """Ternary digits -1, 0, 1 as uint8: byte i is the sum over j of (digit 5i + j, plus 1) 3^j; 0s fill the last."""
    count = digits.numel()
    filled = torch.zeros(trit_bytes(count) * TRITS, dtype=torch.uint8, device=digits.device)
    filled[:count].copy_(digits.to(torch.int8).add_(1))
    groups = filled.view(-1, TRITS)
    packed = groups[:, TRITS - 1].clone()
    for place in reversed(range(TRITS - 1)):
        packed.mul_(3).add_(groups[:, place])
    return packed


def unpack_trits(packed: Bytes, count: int) -> Tensor:
    """The inverse: `count` int8 digits. A byte of 243 or more is no five digits: it is the caller's to refuse."""
    return _digits(packed.device).index_select(0, packed.to(torch.int32)).view(-1)[:count]


def _doublings(bits: int) -> list[tuple[int, int]]:
    """How 8 codes, each in its lane of a word, come together: two lanes of (bits, bits that are used) become one."""
    return [(BYTE, bits), (2 * BYTE, 2 * bits), (4 * BYTE, 4 * bits)]


@cache
def _lanes(width: int, lane: int) -> int:
    """A word with the low `width` (at most 7, 14, 28) bits of every lane of `lane` bits set."""
    return sum(((1 << width) - 1) << start for start in range(0, 64, lane))


def _words(packed: Bytes, bits: int, count: int) -> Tensor:
    """`bits` bytes of each of `count` words, int64; zeros behind what is there."""
    if bits in _WORDS:
        filled = torch.zeros(count * bits, dtype=torch.uint8, device=packed.device)
        filled[: packed.numel()] = packed
        return filled.view(_WORDS[bits]).to(torch.int64)
    words = torch.zeros(count, GROUP, dtype=torch.uint8, device=packed.device)
    whole = packed.numel() // bits
    words[:whole, :bits] = packed[: whole * bits].view(-1, bits)
    rest = packed[whole * bits :]
    words[whole:].view(-1)[: rest.numel()] = rest
    return words.view(torch.int64).view(-1)


@cache
def _digits(device: torch.device) -> Tensor:
    """The five digits of every byte, int8 [256, 5]."""
    digits = [[byte // 3**place % 3 - 1 for place in range(TRITS)] for byte in range(256)]
    return torch.tensor(digits, dtype=torch.int8, device=device)


def _signed_byte(values: Tensor) -> Tensor:
    """The low bytes of integers as int8, whatever their range."""
    if values.dtype in (torch.bool, torch.int8):
        return values
    return values.bitwise_and(255).to(torch.uint8).view(torch.int8)
