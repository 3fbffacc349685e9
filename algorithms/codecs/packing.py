"""Packing small integers: eight of b bits in b bytes, least significant bits first."""

from __future__ import annotations

import torch
from torch import Tensor

GROUP = 8  # codes per word: 8 codes of b <= 8 bits fill b bytes of a 64-bit word


def packed_bytes(count: int, bits: int) -> int:
    """ceil(count * bits / 8)."""
    return -(-count * bits // 8)


def padded(count: int) -> int:
    """`count` rounded up to whole groups."""
    return -(-count // GROUP) * GROUP


def pack(codes: Tensor, bits: int, count: int) -> Tensor:
    """The low `bits` bits (2..8) of the first `count` of int8 `codes` (`padded(count)` of them) as uint8.

    Code i takes bits [i*b, (i+1)*b) of the little-endian result. The view of words as bytes relies on a
    little-endian machine, which every platform of torch's wheels is.
    """
    if bits == 8:
        return codes[:count].view(torch.uint8)
    groups = codes.view(-1, GROUP)  # [words, 8]
    words = torch.zeros(groups.shape[0], dtype=torch.int64, device=codes.device)
    mask = (1 << bits) - 1
    for place in range(GROUP):
        words |= groups[:, place].to(torch.int64).bitwise_and_(mask).bitwise_left_shift_(bits * place)
    used = words.view(torch.uint8).view(-1, 8)[:, :bits]  # [words, b]: the top 8 - b bytes are empty
    return used.reshape(-1)[: packed_bytes(count, bits)]


def unpack(packed: Tensor, bits: int, count: int) -> Tensor:
    """The inverse of `pack`: `count` int8 codes, sign extended.

    `packed` is uint8, `packed_bytes(count, bits)` long.
    """
    if bits == 8:
        return packed.view(torch.int8)
    word_count = padded(count) // GROUP
    used = torch.zeros(word_count * bits, dtype=torch.uint8, device=packed.device)
    used[: packed.numel()] = packed
    words = torch.zeros(word_count, dtype=torch.int64, device=packed.device)
    words.view(torch.uint8).view(-1, 8)[:, :bits] = used.view(-1, bits)
    codes = torch.empty(word_count, GROUP, dtype=torch.int8, device=packed.device)
    for place in range(GROUP):
        # Left until the code's sign bit is the word's, then right with the sign.
        codes[:, place] = (words << (64 - bits * (place + 1))) >> (64 - bits)
    return codes.view(-1)[:count]
