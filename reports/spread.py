"""Where to put labels that must not overlap."""

from __future__ import annotations

from collections.abc import Sequence


def spread(wanted: Sequence[float], gap: float, low: float = 0.0, high: float = 1.0) -> list[float]:
    """Positions at least `gap` apart within [low, high], in order, with least squared displacement.

    Subtracting i * gap from the i-th turns "apart" into "not decreasing", which isotonic regression (pool
    adjacent violators) solves exactly. More labels than fit share the room evenly.
    """
    if not wanted:
        return []
    order = sorted(range(len(wanted)), key=lambda i: wanted[i])
    if len(wanted) > 1:
        gap = min(gap, (high - low) / (len(wanted) - 1))
    shifted = [wanted[i] - rank * gap for rank, i in enumerate(order)]
    ceiling = high - gap * (len(wanted) - 1)
    placed = [0.0] * len(wanted)
    for rank, (i, level) in enumerate(zip(order, _isotonic(shifted), strict=True)):
        placed[i] = min(max(level, low), ceiling) + rank * gap
    return placed


def _isotonic(values: Sequence[float]) -> list[float]:
    """The not decreasing sequence nearest to `values` in least squares."""
    blocks: list[tuple[float, int]] = []  # mean, count
    for value in values:
        mean, count = value, 1
        while blocks and blocks[-1][0] > mean:
            before, n = blocks.pop()
            mean, count = (before * n + mean * count) / (n + count), n + count
        blocks.append((mean, count))
    return [mean for mean, count in blocks for _ in range(count)]
