"""Run folders made by formula, so that tests and benchmarks know what a reader of them must show.

Everything is written by the project's own writers, from cells of the project's own sweep files: only the measurements
are made, by the alpha-beta model with noise that is seeded by the cell. `python -m tests.made_runs KIND DIR` makes one.
"""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np

from testbed.cell import Cell
from testbed.errors import UserError
from testbed.results.documents import SCHEMA
from testbed.results.run_folder import RunFolder
from testbed.specification import load_plan
from testbed.specification.delays import link_delay_s
from topologies.registry import TOPOLOGIES

SWEEPS: Final = Path(__file__).parents[1] / "sweeps"
PARAMETERS, SAMPLES = 269_722, 60_000
COMPUTE_S, CODING_S, APPLY_S = 0.1, 0.004, 0.002
NOISE: Final = 0.01  # relative standard deviation of a step's parts
GOODPUT: Final = 1448 / 1514  # of a link's rate: TCP's payload in a frame
MARKUP: Final = '</script><img src=x onerror="alert(1)">\u202e&amp;'  # what must stay text, wherever it is shown
TRACED_STEPS: Final = 2

# What testbed.results.provenance.collect says of a machine, of no machine in particular.
SESSION: Final[Mapping[str, Any]] = {
    "name": "made",
    "date": "2026-01-02T03:04:05+00:00",
    "git_commit": "0123456789abcdef0123456789abcdef01234567",
    "git_dirty": False,
    "versions": {"python": "3.13.0", "gradwire": "0.1.0"},
    "machine": {"kernel": "Linux 6.12", "cpu": "a processor", "cores": 2, "memory_bytes": 8 * 2**30},
    "lab": "virtual",
    "labs": {"virtual": {"kernel": "6.12 um"}},
}


def communicate_s(cell: Cell) -> float:
    """Seconds of a step's exchange: messages in turn, each half a round trip and its bytes at the link's rate."""
    network = cell.network
    delay_s, bits_per_s = network.latency_s / 2, network.bandwidth_bit_per_s * GOODPUT
    hops = 1.3 if network.topology == "tree" else 1.0  # some messages cross links between switches
    if cell.algorithm == "allreduce":
        messages = 2 * (network.workers - 1)
        return hops * messages * (delay_s + 8 * vector_bytes(cell) / network.workers / bits_per_s)
    return hops * (delay_s + 8 * 2 * vector_bytes(cell) / bits_per_s)


def vector_bytes(cell: Cell) -> float:
    """Bytes of one encoded model: of 32 bits, or 8 and a scale for every 512 values."""
    return PARAMETERS * (4.0 if cell.codec == "fp32" else 1.0 + 4 / 512)


def measurement(cell: Cell) -> dict[str, Any]:
    """A cell's document as a lab makes it. Equal cells give equal documents."""
    random = np.random.default_rng(int(cell.id, 16))
    repetitions = [_repetition(cell, random) for _ in range(cell.steps.repetitions)]
    emulated_s = sum(sum(repetition["step_s"]) for repetition in repetitions)
    return {
        "repetitions": repetitions,
        "warmup": {"steps": cell.steps.warmup_min * 2, "settled": True},
        "bytes": _bytes(cell),
        "probe": _probe(cell, random),
        "workload": {"dataset": "fashion-mnist", "samples": SAMPLES, "parameters": PARAMETERS, "gradients": "recorded"},
        "profile": {"device": cell.device, "kind": "estimated", "digest": ""},
        "devices": ["cpu"] * cell.network.workers,
        "overrun": {"calls_per_step": 0.0, "s_per_step": 0.0, "share": 0.0},
        "session": 0,
        "emulated_s": emulated_s,
        "wall_s": emulated_s / 4,
        "lane": 0,
    }


def _repetition(cell: Cell, random: np.random.Generator) -> dict[str, Any]:
    """A repetition's steps, all a little slower or faster than another's."""
    coding_s = 0.0 if cell.codec == "fp32" else CODING_S
    means_s = {"compute": COMPUTE_S * cell.compute_scale, "encode": coding_s, "communicate": communicate_s(cell),
               "decode": coding_s, "apply": APPLY_S}  # fmt: skip
    of_all = random.normal(1, NOISE)
    parts = {
        f"{part}_s": [float(mean_s * of_all * factor) for factor in random.normal(1, NOISE, cell.steps.measured)]
        for part, mean_s in means_s.items()
    }
    return {"begins_s": 0.0, "step_s": [sum(step) for step in zip(*parts.values(), strict=True)], **parts}


def _bytes(cell: Cell) -> dict[str, Any]:
    workers = cell.network.workers
    share = 2 * (workers - 1) / workers if cell.algorithm == "allreduce" else 2
    messages = workers * (2 * (workers - 1) if cell.algorithm == "allreduce" else 2)
    payload = round(workers * share * vector_bytes(cell))
    header = 40 * messages
    wire = round((payload + header) / GOODPUT)
    kinds = {"declared": payload, "handed": payload, "messages": messages, "socket": payload + header,
             "mpi_header": header, "wire": wire}  # fmt: skip
    interface = dict.fromkeys(("acks", "retransmits", "transit", "reports", "unexplained"), 0)
    whole = {"total": wire, "payload": payload + header, "headers": wire - payload - header}
    return {f"{kind}_per_step": count for kind, count in kinds.items()} | {"interface": whole | interface}


def _probe(cell: Cell, random: np.random.Generator) -> dict[str, Any]:
    rtt_s, goodput_bit_per_s = cell.network.latency_s, cell.network.bandwidth_bit_per_s * GOODPUT
    return {
        "rtt_s": float(rtt_s * random.uniform(1.0, 1.01)),
        "rtt_expected_s": rtt_s,
        "goodput_bit_per_s": float(goodput_bit_per_s * random.uniform(0.99, 1.0)),
        "goodput_expected_bit_per_s": goodput_bit_per_s,
        "faithful": True,
        "detail": [],
        "link": {},
    }


def trace(cell: Cell) -> dict[str, Any]:
    """What the workers did in the last steps: as the formula says, each worker a little later than the one before."""
    last = cell.steps.measured * cell.steps.repetitions
    return {
        "steps": [last + number for number in range(TRACED_STEPS)],
        "workers": [
            [_traced_step(cell, rank, number) for number in range(TRACED_STEPS)] for rank in range(cell.network.workers)
        ],
    }


def _traced_step(cell: Cell, rank: int, number: int) -> dict[str, Any]:
    workers = cell.network.workers
    compute_ns, coding_ns = round(1e9 * COMPUTE_S * (1 + NOISE * rank / workers)), round(1e9 * CODING_S)
    begin_ns = number * round(1e9 * (COMPUTE_S + 2 * CODING_S + APPLY_S + communicate_s(cell)) * 1.1)
    coded = [] if cell.codec == "fp32" else [coding_ns]
    turns = 2 * (workers - 1) if cell.algorithm == "allreduce" else 1
    wait_ns = round(1e9 * communicate_s(cell) / turns)
    size = round(vector_bytes(cell) / (workers if cell.algorithm == "allreduce" else 1))
    after, before = (rank + 1) % workers, (rank - 1) % workers
    exchanges = [
        exchange
        for _ in range(turns)
        for exchange in (["send", 0, 0, [[after, size]]], ["wait", 0, wait_ns, [[before, size]]])
    ]
    slices: list[list[Any]] = [["compute", 0, compute_ns], *(["encode", 0, ns] for ns in coded), *exchanges]
    slices += [*(["decode", 0, ns] for ns in coded), ["apply", 0, round(1e9 * APPLY_S)]]
    return {"begin_ns": begin_ns, "end_ns": begin_ns + sum(one[2] for one in slices), "slices": slices}


@cache
def cells_of(sweep: str, lab: str = "virtual") -> tuple[Cell, ...]:
    """The cells of one of the project's sweep files."""
    return tuple(load_plan(SWEEPS / f"{sweep}.yaml", lambda: lab, lab=lab).cells)


def declare(path: Path, cells: Sequence[Cell], name: str = "made", session: Mapping[str, Any] = SESSION) -> RunFolder:
    """A run folder in which nothing is measured yet, as a sweep leaves it when it begins."""
    run = RunFolder(path)
    delays_s = [link_delay_s(cell.network) if cell.network.topology in TOPOLOGIES else 0.0 for cell in cells]
    with run.locked():
        run.declare(name, f"name: {json.dumps(name)}\n", cells, delays_s)
        run.add_session({**session, "name": name})
    return run


def measure(run: RunFolder, cells: Iterable[Cell], **of_probe: Any) -> None:
    """Store made measurements; `of_probe` takes the place of what the probe found."""
    for cell in cells:
        document = measurement(cell)
        run.store(cell, document | {"probe": document["probe"] | of_probe}, trace(cell))


def small(path: Path) -> None:
    """All of the 12 cells of the smoke sweep."""
    measure(declare(path, cells_of("smoke"), "smoke"), cells_of("smoke"))


def large(path: Path) -> None:
    """All of the 480 cells of the default sweep."""
    measure(declare(path, cells_of("default"), "default"), cells_of("default"))


def empty(path: Path) -> None:
    """A sweep that has just begun: 12 cells, none of them measured."""
    declare(path, cells_of("smoke"), "empty")


def all_failed(path: Path) -> None:
    """12 cells without a result, for two reasons."""
    run = declare(path, cells_of("smoke"), "all-failed")
    for number, cell in enumerate(cells_of("smoke")):
        run.store_failure(cell, "a worker ran out of memory" if number % 2 else "the guest ended (exit status 1)", 0)


def mixed(path: Path) -> None:
    """12 cells of the host lab, by turns measured, unfaithful, saturated, overrun, failed and missing."""
    cells = cells_of("smoke", "host")
    run = declare(path, cells, "mixed", {**SESSION, "lab": "host", "labs": {"host": {}}})
    measure(run, cells[0::6])
    measure(run, cells[1::6], faithful=False, goodput_bit_per_s=1e6)
    measure(run, cells[2::6], saturated=True)
    for cell in cells[3::6]:
        run.store(cell, measurement(cell) | {"overrun": {"calls_per_step": 1.0, "s_per_step": 0.01, "share": 0.05}})
    for cell in cells[4::6]:
        run.store_failure(cell, "a worker ran out of memory", 0)


def hostile(path: Path) -> None:
    """12 cells whose names, and whatever else can hold text, hold markup."""
    cells = [_with_markup(cell) for cell in cells_of("smoke")]
    session = {**SESSION, "git_commit": MARKUP, "date": MARKUP, "machine": {**SESSION["machine"], "cpu": MARKUP}}
    run = declare(path, cells, MARKUP, session)
    for cell in cells[:-2]:
        document = measurement(cell)
        run.store(cell, document | {"workload": document["workload"] | {"dataset": MARKUP}}, trace(cell))
    run.store_failure(cells[-2], MARKUP, 0)


def _with_markup(cell: Cell) -> Cell:
    options = {**cell.codec_options, MARKUP: MARKUP}
    network = dataclasses.replace(cell.network, topology=MARKUP)
    return dataclasses.replace(cell, network=network, workload=MARKUP, device=MARKUP, codec_options=options)


def newer(path: Path) -> None:
    """12 cells written by a version of Gradwire to come."""
    small(path)
    for file in [*path.glob("*.json"), *path.glob("*/*.json")]:
        file.write_text(json.dumps(json.loads(file.read_text()) | {"schema": SCHEMA + 1}))


def half_written(path: Path) -> None:
    """What a killed sweep leaves: 5 of 12 cells, a failure, and a file that was being written."""
    cells = cells_of("smoke")
    run = declare(path, cells, "half-written")
    measure(run, cells[:5])
    run.store_failure(cells[5], "the guest ended (exit status 1)", 0)
    whole = run.cell_path(cells[0]).read_bytes()
    (path / "cells" / f".{cells[6].id}.json.1.partial").write_bytes(whole[: len(whole) // 2])


def damaged(path: Path) -> None:
    """12 cells, of which one's document is cut off: nothing that Gradwire does, but a disk may."""
    small(path)
    document = RunFolder(path).cell_path(cells_of("smoke")[0])
    document.write_bytes(document.read_bytes()[:100])


KINDS: Final[Mapping[str, Callable[[Path], None]]] = {
    "small": small,
    "large": large,
    "empty": empty,
    "all-failed": all_failed,
    "mixed": mixed,
    "hostile": hostile,
    "newer": newer,
    "half-written": half_written,
    "damaged": damaged,
}


def make(kind: str, path: Path) -> Path:
    """The folder at `path`, newly made."""
    if path.exists():
        raise UserError(f"{path} exists: give the path of a folder to make")
    KINDS[kind](path)
    return path


if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[1] not in KINDS:
        sys.exit(f"usage: python -m tests.made_runs {{{','.join(KINDS)}}} DIR")
    print(make(sys.argv[1], Path(sys.argv[2])))
