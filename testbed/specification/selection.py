"""Which cells a block of keys matches: what `exclude` leaves out, and what `--only` keeps."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from testbed.cell import Cell
from testbed.errors import UserError
from testbed.specification.choices import (
    AlgorithmChoice,
    CodecChoice,
    ContainersChoice,
    PartitionChoice,
    TopologyChoice,
    WorkloadChoice,
)
from testbed.specification.dynamics import StragglerChoice
from testbed.specification.reading import parse_block, parse_yaml
from testbed.specification.sweep_file import Axes


def _topology(wanted: TopologyChoice, cell: Cell) -> bool:
    return wanted.name == cell.network.topology and wanted.arity in (None, cell.network.arity)


def _algorithm(wanted: AlgorithmChoice, cell: Cell) -> bool:
    """By name, and by the codec and options that are given: `allreduce` matches it with any codec."""
    same = wanted.name == cell.algorithm and wanted.options.items() <= dict(cell.algorithm_options).items()
    return same and (wanted.codec is None or _codec(wanted.codec, cell))


def _codec(wanted: CodecChoice, cell: Cell) -> bool:
    return wanted.name == cell.codec and wanted.options.items() <= dict(cell.codec_options).items()


def _workload(wanted: WorkloadChoice, cell: Cell) -> bool:
    return wanted.name == cell.workload and wanted.options.items() <= dict(cell.workload_options).items()


def _partition(wanted: PartitionChoice, cell: Cell) -> bool:
    """By name, and by alpha where that is given."""
    return wanted.name == cell.partition and wanted.alpha in (None, cell.alpha)


def _straggler(wanted: StragglerChoice | None, cell: Cell) -> bool:
    """The same in all that makes a worker slow."""
    slow_worker, own_links = (wanted.slow_worker, wanted.own_links) if wanted else (None, None)
    return cell.slow_worker == slow_worker and cell.network.own_links == ((own_links,) if own_links else ())


def _containers(wanted: ContainersChoice, cell: Cell) -> bool:
    """By engine, and by the image and the limits that are given: `docker` matches any container."""
    asked, has = wanted.resolved(), cell.containers
    if asked is None or has is None:
        return asked is has
    given = {key: value for key, value in dataclasses.asdict(asked).items() if value is not None}
    return given.items() <= dataclasses.asdict(has).items()


# How the value of a key is found in a cell. Keys that are absent are attributes of the cell by the same name.
_MATCHES: Final[Mapping[str, Callable[[Any, Cell], bool]]] = {
    "lab": lambda wanted, cell: wanted in ("auto", cell.lab),
    "containers": _containers,
    "topology": _topology,
    "workers": lambda wanted, cell: bool(wanted == cell.network.workers),
    "bandwidth": lambda wanted, cell: bool(wanted == cell.network.bandwidth_bit_per_s),
    "trunk": lambda wanted, cell: bool(wanted == cell.network.trunk_bit_per_s),
    "latency": lambda wanted, cell: bool(wanted == cell.network.latency_s),
    "jitter": lambda wanted, cell: bool(wanted == cell.network.jitter_s),
    "loss": lambda wanted, cell: bool(wanted == cell.network.loss),
    "queue": lambda wanted, cell: bool(wanted.at(cell.network.bandwidth_bit_per_s) == cell.network.queue_bytes),
    "slow_start_after_idle": lambda wanted, cell: bool(wanted == cell.network.slow_start_after_idle),
    "algorithm": _algorithm,
    "codec": _codec,
    "workload": _workload,
    "partition": _partition,
    "straggler": _straggler,
    "steps": lambda wanted, cell: bool(wanted.resolved() == cell.steps),
}


def matches(block: Axes, cell: Cell) -> bool:
    """Whether the cell has, for every key that the block gives, one of its values."""
    return all(_has_one(key, getattr(block, key), cell) for key in block.model_fields_set)


def _has_one(key: str, values: Sequence[Any], cell: Cell) -> bool:
    if key in _MATCHES:
        return any(_MATCHES[key](value, cell) for value in values)
    return getattr(cell, key) in values


def select(cells: Sequence[Cell], filters: Sequence[str]) -> list[Cell]:
    """The cells that all `KEY=VALUE` keep; values of one key are alternatives. UserError if none is."""
    keys: dict[str, list[Any]] = defaultdict(list)
    for text in filters:
        key, equals, value = text.partition("=")
        if not equals or not value:
            raise UserError(f"--only {text} is not KEY=VALUE: write, say, --only topology=star")
        parsed = parse_yaml(value, f"--only {text}")
        keys[key.strip()].extend(parsed if isinstance(parsed, list) else [parsed])
    block = parse_block(keys, "--only")
    chosen = [cell for cell in cells if matches(block, cell)]
    if not chosen:
        raise UserError(f"--only {' --only '.join(filters)} keeps no cell of the sweep: give values that it has")
    return chosen
