"""Whether an algorithm, its codec, graph and workload go together: found out by making one worker's algorithm."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from typing import Any

from testbed.cell import Cell


def advice(cell: Cell) -> tuple[str, ...]:
    """What theory does not cover in a completed cell; ValueError for what is not possible."""
    return _found(cell)[0]


def period(cell: Cell) -> int:
    """Steps after which a completed cell's pattern of communication repeats; ValueError as of `advice`."""
    return _found(cell)[1]


def _found(cell: Cell) -> tuple[tuple[str, ...], int]:
    network, options = cell.network, (cell.algorithm_options, cell.codec_options, cell.workload_options)
    return _made(cell.algorithm, cell.codec, cell.graph, network.workers, cell.workload, *map(_key, options))


@cache
def _made(
    algorithm: str, codec: str, graph: str, workers: int, workload: str, own: str, codecs: str, workloads: str
) -> tuple[tuple[str, ...], int]:
    """Its advice and its period. The last three arguments are options, as JSON text."""
    from algorithms import registry
    from algorithms.algorithm import Worker
    from algorithms.codecs.codec import create_codec
    from algorithms.graphs import create_graph
    from testbed.workloads.outline import outline

    layers = outline(workload, workloads)
    worker = Worker(
        rank=0,
        workers=workers,
        parameters=layers[-1].stop,
        layers=layers,
        codec=create_codec(codec, json.loads(codecs)).on(layers),
        graph=create_graph(graph, workers),
        options=json.loads(own),
    )
    made = registry.create(algorithm, worker)
    return made.advice(), made.period


def _key(options: Mapping[str, Any]) -> str:
    return json.dumps(dict(options), sort_keys=True)
