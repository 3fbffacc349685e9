"""A program's document in words, and in a folder."""

from __future__ import annotations

import csv
import io
import math
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from testbed.results import atomic
from testbed.specification.units import format_rate, format_time

DOCUMENT: Final = "run.json"
LINKS: Final = "links.csv"

Document = Mapping[str, Any]


def report(document: Document) -> str:
    """What a person wants to know, some lines of text."""
    rows = [
        (document["time_is"], _time(document)),
        ("program", "; ".join(_endings(document["ranks"], timed_out=document["timed_out"]))),
        ("probe", _probe(document["probe"], document["network"])),
    ]
    width = max(len(name) for name, _ in rows) + 2
    lines = [f"{_network(document['network'])}, lab {document['lab']}"]
    lines += [f"  {name:<{width}}{text}" for name, text in rows]
    return "\n".join([*lines, *_links(document["links"])])


def _network(network: Document) -> str:
    words = [
        network["topology"],
        f"{network['workers']} workers",
        format_rate(network["bandwidth_bit_per_s"]),
        format_time(network["latency_s"]),
    ]
    words += [] if not network["jitter_s"] else [f"jitter {format_time(network['jitter_s'])}"]
    words += [] if not network["loss"] else [f"loss {network['loss'] * 100:g} %"]
    return ", ".join(words)


def _time(document: Document) -> str:
    note = f" ({document['note']})" if document["note"] else ""
    return f"{document['time_s']:.6g} s{note}"


def _endings(ranks: Sequence[Document], *, timed_out: bool) -> Iterator[str]:
    """How ranks ended, alike ones together: `ranks 0-2 ended with status 0`."""
    if timed_out:
        yield "its time was up"
    by_ending: dict[str, list[int]] = {}
    for rank in ranks:
        by_ending.setdefault(_ending(rank), []).append(rank["rank"])
    for ending, numbers in by_ending.items():
        who = "all ranks" if len(numbers) == len(ranks) else _spans(numbers)
        yield f"{who} {ending}"


def _ending(rank: Document) -> str:
    if rank["signal"] is not None:
        return f"ended by {rank['signal']}"
    return "stopped with the others" if rank["exit_status"] is None else f"ended with status {rank['exit_status']}"


def _spans(numbers: Sequence[int]) -> str:
    """`rank 3`, or `ranks 0-2, 5`."""
    spans: list[list[int]] = []
    for number in numbers:
        if spans and number == spans[-1][-1] + 1:
            spans[-1][1:] = [number]
        else:
            spans.append([number])
    return f"rank{'s' if len(numbers) > 1 else ''} " + ", ".join("-".join(map(str, span)) for span in spans)


def _probe(probe: Document, network: Document) -> str:
    verdict = "saturated" if probe["saturated"] else "faithful" if probe["faithful"] else "unfaithful"
    return (
        f"{verdict}: round trip {_measured(probe['rtt_s'], format_time)} "
        f"(asked {format_time(network['latency_s'])}, expected {format_time(probe['rtt_expected_s'])}), "
        f"TCP {_measured(probe['goodput_bit_per_s'], format_rate)} "
        f"(asked {format_rate(network['bandwidth_bit_per_s'])}, "
        f"expected {format_rate(probe['goodput_expected_bit_per_s'])})"
    )


def _measured(value: float | None, words: Any) -> str:
    return "none" if value is None or not math.isfinite(value) else str(words(float(f"{value:.4g}")))


def _links(links: Sequence[Document]) -> list[str]:
    """A row a link: its two ends, and the bytes that went each way."""
    rows = [("link", "bytes there", "bytes back")]
    for link in links:
        there, back = link["bytes"]
        rows.append((" - ".join(link["ends"]), f"{there:,}", f"{back:,}"))
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    return [f"  {name:<{widths[0]}}  {there:>{widths[1]}}  {back:>{widths[2]}}" for name, there, back in rows]


def keep(document: Document, ranks: Path, output: Path) -> None:
    """Put document, table of links and what ranks printed into the folder `output`, whole or not at all."""
    folder = ranks.with_name("result")
    try:
        folder.mkdir()
        for path in sorted(ranks.glob("rank-*.*")):
            if path.suffix in (".out", ".err"):
                shutil.copyfile(path, folder / path.name)
        (folder / LINKS).write_text(links_csv(document["links"]))
        atomic.write_json(folder / DOCUMENT, document)
        if output.is_dir():
            output.rmdir()  # empty, as it was asked to be
        atomic.move_folder(folder, output.absolute())
    except OSError as error:
        raise atomic.not_written(output, error) from error


def links_csv(links: Sequence[Document]) -> str:
    """A row each way of each link."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["from", "to", "bytes", "packets"])
    for link in links:
        there, back = link["ends"]
        for ends, size, packets in zip([(there, back), (back, there)], link["bytes"], link["packets"], strict=True):
            table.writerow([*ends, size, packets])
    return text.getvalue()
