"""A comparison in words: the sentences and the rows of text that terminal, Markdown and page share."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Final

from reports.comparison.comparing import LEAST_CHANGE, SIGNIFICANCE, Compared, Comparison, Verdict
from reports.comparison.place import Place
from reports.quantities import change_text, seconds_text

APART_HEADER: Final = ("cell", "why")
CHANGE: Final = "change (95 % interval)"
SHOWN_OF_BYTES: Final = 0.0005  # a share: less is written as none
_SHOWN: Final = 10  # cells of one run only that are named


def answer(comparison: Comparison, bound: float | None) -> list[str]:
    """What was asked first: how many cells became slower, the largest change, what was lost, and the check."""
    return [*_counts(comparison), *_lost(comparison), *([] if bound is None else [_check(comparison, bound)])]


def _counts(comparison: Comparison) -> Iterator[str]:
    slower, faster = comparison.of(Verdict.SLOWER), comparison.of(Verdict.FASTER)
    count = len(comparison.cells)
    if not count:
        yield "No cell could be compared."
    elif not slower and not faster:
        yield f"None of {_cells(count)} became slower or faster by more than noise."
    else:
        yield (
            f"{len(slower)} of {_cells(count)} became slower by more than noise, {len(faster)} faster; "
            f"{count - len(slower) - len(faster)} without a change that could be told from noise."
        )
    for most, cells in (("Slowed down most", slower), ("Sped up most", faster)):
        if cells:
            yield f"{most}: {cells[0].place.text}, by {_change(cells[0])}."


def _lost(comparison: Comparison) -> Iterator[str]:
    if lost := len(comparison.lost):
        has, those = ("have", "them") if lost > 1 else ("has", "it")
        yield f"{_cells(lost)} with a valid result in A {has} none in B: no claim is made of {those}."


def _check(comparison: Comparison, bound: float) -> str:
    limit, failed = f"{bound * 100:g} %", comparison.exceeding(bound)
    if comparison.fails(bound):
        parts = [f"{_cells(len(failed))} slower by more than {limit} beyond noise"] * bool(failed)
        parts += [f"{_cells(len(comparison.lost))} without a valid result"] * bool(comparison.lost)
        return f"The check fails: {' and '.join(parts)}."
    return f"The check passes: no cell is slower by more than {limit} beyond noise."


def header(comparison: Comparison) -> list[str]:
    """Of the table of cells."""
    setting = ["setting"] if _has_settings(comparison) else []
    names = [*setting, "network", "system", "A", "B", CHANGE, "verdict", "mostly"]
    return [*names, "bytes"] if _moves_others(comparison) else names


def row(comparison: Comparison, cell: Compared) -> list[str]:
    """A cell of the table, under `header`."""
    place = cell.place
    wire = "" if math.isnan(cell.wire) else change_text(cell.wire)
    return [
        *([place.setting] if _has_settings(comparison) else []),
        place.network,
        place.system,
        seconds_text(cell.a_s),
        seconds_text(cell.b_s),
        _change(cell),
        str(cell.verdict),
        cell.part,
        *([wire] if _moves_others(comparison) else []),
    ]


def sides(comparison: Comparison) -> list[str]:
    """Which runs these are, and of what their cells are."""
    return [f"A: {comparison.a.line}", f"B: {comparison.b.line}", f"Every cell: {comparison.setting}."]


def notes(comparison: Comparison) -> list[str]:
    """How to read the table, what differs between the runs, and which cells only one has."""
    return [
        *([_reading(comparison)] if comparison.cells else []),
        *(f"Warning: {text}." for text in comparison.warnings),
        *([f"Not measured yet in either run: {_cells(comparison.unmeasured)}."] * bool(comparison.unmeasured)),
        *_only("A", comparison.only_a),
        *_only("B", comparison.only_b),
    ]


def _reading(comparison: Comparison) -> str:
    paired = sum(cell.ratio.paired for cell in comparison.cells)
    tests = {
        len(comparison.cells): "a t-test on pairs of repetitions with the same seeds",
        0: "Welch's t-test",
    }.get(paired, f"a t-test on pairs of repetitions with the same seeds for {paired} cells, Welch's for the others")
    return (
        "A and B are seconds per epoch; the change is that of their ratio "
        f"({tests}, on logarithms). Slower and faster are cells whose p-value stays below {SIGNIFICANCE:g} after "
        f"Benjamini and Hochberg's correction over all {_cells(len(comparison.cells))} and whose change is more than "
        f"{LEAST_CHANGE * 100:g} %, by which one cell, measured twice, may differ. Mostly: the part of a step that "
        "changed most." + (" Bytes: the change of bytes on the wire per step." if _moves_others(comparison) else "")
    )


def _only(side: str, places: Sequence[Place]) -> Iterator[str]:
    if places:
        more = f"; and {len(places) - _SHOWN} more" if len(places) > _SHOWN else ""
        yield f"Only in {side} ({_cells(len(places))}): {'; '.join(p.text for p in places[:_SHOWN])}{more}."


def _change(cell: Compared) -> str:
    ratio = cell.ratio
    return f"{change_text(ratio.value)} ({change_text(ratio.low)} to {change_text(ratio.high)})"


def _has_settings(comparison: Comparison) -> bool:
    return any(cell.place.setting for cell in comparison.cells)


def _moves_others(comparison: Comparison) -> bool:
    """Whether any cell has more or fewer bytes on the wire, as far as they are shown."""
    return any(abs(cell.wire - 1) >= SHOWN_OF_BYTES for cell in comparison.cells)


def _cells(count: int) -> str:
    return f"{count} cell" if count == 1 else f"{count} cells"
