"""Dividing a vector among workers."""

from __future__ import annotations

from itertools import pairwise


def split(count: int, parts: int) -> tuple[slice, ...]:
    """`parts` adjacent slices of `count` components, sizes differing by at most one.

    Empty ones if count < parts.
    """
    edges = [count * part // parts for part in range(parts + 1)]
    return tuple(slice(start, stop) for start, stop in pairwise(edges))


def length(chunk: slice) -> int:
    """Components in a slice."""
    return int(chunk.stop - chunk.start)
