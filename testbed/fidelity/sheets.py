"""The rows as tables of text, for a terminal and for the documentation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from rich.table import Table

from testbed.cell import Cell, Network
from testbed.fidelity.model import FLOAT_BYTES
from testbed.fidelity.rows import (
    CONTAINERS_UP_AND_DOWN_WITHIN_S,
    LARGE_STEP_WITHIN,
    RESHAPED_WITHIN_S,
    SAME_WITHIN,
    SOCKET_WITHIN,
    STEP_WITHIN,
    STEP_WITHIN_AT_10_GBIT,
    STEP_WITHIN_IN_REAL_TIME,
    STEP_WITHIN_IN_REAL_TIME_FAST,
    STEP_WITHIN_OF_MANY,
    UNEXPLAINED_IN_REAL_TIME,
    UP_AND_DOWN_WITHIN_S,
    BytesRow,
    HostsRow,
    LinkRow,
    ModelRow,
    SameRow,
)
from testbed.specification.units import format_rate, format_time
from testbed.workloads.outline import vector_size

TERM_HEADINGS = {
    "serialisation": "payload",
    "headers": "headers",
    "mpi_header": "MPI header",
    "ack_share": "ACKs",
    "store_and_forward": "store+forward",
    "delays": "delays",
    "slow_start": "slow start",
}


class Judged(Protocol):
    """A row that meets its target or does not."""

    @property
    def met(self) -> bool:
        """Whether it does."""


Row = TypeVar("Row", bound=Judged)


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """A table of text. Its last column says whether the row met the target."""

    title: str
    note: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    misses: Sequence[str]  # the rows that did not, in words


def _sheet(
    title: str, note: str, columns: Sequence[str], rows: Sequence[Row], values: Callable[[Row], Sequence[str]]
) -> Sheet:
    texts = [(*values(row), "yes") if row.met else (*values(row), "NO") for row in rows]
    misses = [
        f"{title}: " + ", ".join(map(" ".join, zip(columns, text[:-1], strict=True)))
        for text in texts
        if text[-1] != "yes"
    ]
    columns = (*columns, "met")
    return Sheet(title=title, note=note, columns=columns, rows=texts, misses=misses)


def model_sheet(rows: Sequence[ModelRow]) -> Sheet:
    """Measured, model, ratio, and the model's terms, in milliseconds."""

    def values(row: ModelRow) -> tuple[str, ...]:
        terms = (_ms(getattr(row.terms, name)) for name in TERM_HEADINGS)
        ratio = f"{row.ratio:.4f}" + (f" ({row.mark})" if row.mark else "")
        return (*_of_cell(row.cell), _ms(row.measured_s), _ms(row.terms.total), ratio, *terms)

    return _sheet(
        "Exchange against model",
        f"Milliseconds; the median step's communication. Target in virtual time: within {STEP_WITHIN:.0%}, at 10 "
        f"Gbit/s {STEP_WITHIN_AT_10_GBIT:.0%}, with 24 workers {STEP_WITHIN_OF_MANY:.0%}; in real time: within "
        f"{STEP_WITHIN_IN_REAL_TIME:.0%}, above 5 Gbit/s {STEP_WITHIN_IN_REAL_TIME_FAST:.0%}, 10 MB among eight "
        f"{LARGE_STEP_WITHIN:.1%}; others that are marked saturated, as more than the machine carries, are not judged. "
        "Overrun: the machine's own work took longer than the device's, which an exchange does not contain. No "
        "term is fitted; slow start is over when warm-up ends.",
        (*CELL_COLUMNS, "measured", "model", "ratio", *TERM_HEADINGS.values()),
        rows,
        values,
    )


def links_sheet(rows: Sequence[LinkRow]) -> Sheet:
    """Round trips and goodput of every network, alone and all at once, lab beside lab."""

    def values(row: LinkRow) -> tuple[str, ...]:
        return (
            _lab(row.cell),
            *_of_network(row.cell.network),
            f"{row.rtt_expected_s * 1e6:.2f}",
            f"{row.rtt_s * 1e6:.2f}",
            f"{row.rtt_error_s * 1e6:+.2f}",
            f"{row.goodput_expected_bit_per_s / 1e6:.3f}",
            f"{row.goodput_bit_per_s / 1e6:.3f}",
            f"{row.alone_error:+.2%}",
            f"{row.together_error:+.2%}",
            row.judgement,
        )

    return _sheet(
        "Links",
        "Round trip of 98 bytes in microseconds, goodput of one TCP stream in Mbit/s, and the largest error of all "
        "paths that were probed: of a stream alone, and of all workers' streams at once. Targets: virtual lab 2 us "
        "between neighbours, 1 % (above 5 Gbit/s 2 %); host lab 50 us or 2 % with netem, 200 us or 3 % with NFQUEUE, "
        "goodput 2 % (above 5 Gbit/s 5 %). Saturated: each stream alone is right, and the machine does not carry all "
        "of them at once; cells on such a network are marked.",
        (
            "lab",
            *NETWORK_COLUMNS,
            *("RTT expected", "measured", "error", "goodput expected", "measured", "alone", "all at once", "judgement"),
        ),
        rows,
        values,
    )


def hosts_sheet(rows: Sequence[HostsRow]) -> Sheet:
    """How long hosts take to come up, be shaped, and go."""

    def values(row: HostsRow) -> tuple[str, ...]:
        times = (row.up_s, row.shaped_s, row.reshaped_s, row.down_s)
        return (row.group, *("" if time_s is None else _ms(time_s) for time_s in times))

    return _sheet(
        "Hosts up and down",
        f"Milliseconds in real time. Target: up, shaped and down within {UP_AND_DOWN_WITHIN_S:g} s in all, with "
        f"containers {CONTAINERS_UP_AND_DOWN_WITHIN_S:g} s; all ports shaped otherwise within "
        f"{RESHAPED_WITHIN_S * 1e3:g} ms.",
        ("hosts", "up", "shaped", "shaped otherwise", "down"),
        rows,
        values,
    )


def same_sheet(title: str, note: str, rows: Sequence[SameRow]) -> Sheet:
    """One cell in different circumstances."""

    def values(row: SameRow) -> tuple[str, ...]:
        steps = " ".join(_ms(step) for step in row.steps_s)
        return (*_of_cell(row.cell), steps, f"{row.difference:.3%}")

    target = f" Target: at most {SAME_WITHIN:.1%} between the shortest and the longest."
    return _sheet(title, note + target, (*CELL_COLUMNS, "median steps, ms", "difference"), rows, values)


def bytes_sheet(rows: Sequence[BytesRow]) -> Sheet:
    """Bytes per step at every place that counts them."""

    def values(row: BytesRow) -> tuple[str, ...]:
        counts = (row.declared, row.handed, row.socket - row.mpi_headers, row.interfaces, row.unexplained)
        return (*_of_cell(row.cell), *(f"{count:.10g}" for count in counts), f"{row.socket_difference:.4%}")

    return _sheet(
        "Bytes",
        "Per step, of all workers. Target: declared = handed to MPI; sockets, less MPI's headers, within "
        f"{SOCKET_WITHIN:.1%} of that; nothing on the interfaces unexplained, in real time at most "
        f"{UNEXPLAINED_IN_REAL_TIME:.3%} (SACK options of packets that were overtaken).",
        (*CELL_COLUMNS, "declared", "handed over", "sockets", "interfaces", "unexplained", "sockets off by"),
        rows,
        values,
    )


def as_table(sheet: Sheet) -> Table:
    """For a terminal."""
    table = Table(title=sheet.title, caption=sheet.note)
    for index, column in enumerate(sheet.columns):
        table.add_column(column, justify="left" if index == 0 else "right", overflow="fold")
    for row in sheet.rows:
        table.add_row(*row, style=None if row[-1] == "yes" else "bold red")
    return table


def as_markdown(sheet: Sheet) -> str:
    """For the documentation."""
    lines = [
        f"## {sheet.title}",
        "",
        sheet.note,
        "",
        "| " + " | ".join(sheet.columns) + " |",
        "|---" * len(sheet.columns) + "|",
        *("| " + " | ".join(row) + " |" for row in sheet.rows),
    ]
    return "\n".join(lines) + "\n"


NETWORK_COLUMNS = ("workers", "rate", "latency")
CELL_COLUMNS = ("lab", "exchange", *NETWORK_COLUMNS)


def _of_network(network: Network) -> tuple[str, ...]:
    return str(network.workers), format_rate(network.bandwidth_bit_per_s), format_time(network.latency_s)


def _of_cell(cell: Cell) -> tuple[str, ...]:
    return _lab(cell), f"{cell.algorithm} {cell.codec} {_size(cell)}", *_of_network(cell.network)


def _lab(cell: Cell) -> str:
    return cell.lab if cell.containers is None else f"{cell.lab}, {cell.containers.engine}"


def _size(cell: Cell) -> str:
    return f"{FLOAT_BYTES * vector_size(cell.workload) / 1e6:.3g} MB"


def _ms(seconds: float) -> str:
    return f"{seconds * 1e3:.5g}"
