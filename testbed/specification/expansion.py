"""From checked keys to cells: the product of the lists, less `exclude`, plus `include`."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from testbed.cell import Cell, Network
from testbed.errors import UserError
from testbed.specification.selection import matches
from testbed.specification.sweep_file import Axes, SweepFile

LARGEST_SWEEP: Final = 100_000  # cells: a slip in a list, not a sweep that anyone waits for

Values = Mapping[str, Sequence[Any]]


@dataclass(frozen=True)
class Expansion:
    """Cells in the order of declaration, perhaps with repetitions; and what in the file had no effect."""

    cells: Sequence[Cell]
    warnings: Sequence[str]


def expand(sweep: SweepFile, lab_when_auto: Callable[[], str], source: str) -> Expansion:
    """The sweep's cells. UserError where there are none, or too many, or a key that no cell can use."""
    file = {key: getattr(sweep, key) for key in Axes.model_fields}
    products = [file, *({**file, **_given(block)} for block in sweep.include)]
    _check_size(products, source)
    _check_trunk(products, source)
    declared = list(_product(file, lab_when_auto))
    kept = [cell for cell in declared if not any(matches(block, cell) for block in sweep.exclude)]
    included = [cell for values in products[1:] for cell in _product(values, lab_when_auto)]
    if not kept and not included:
        raise UserError(f"{source}: exclude leaves no cell of the sweep: exclude less")
    idle = [
        f"exclude[{number}] matches no cell"
        for number, block in enumerate(sweep.exclude)
        if not any(matches(block, cell) for cell in declared)
    ]
    return Expansion([*kept, *included], idle)


def _given(block: Axes) -> Values:
    return {key: getattr(block, key) for key in block.model_fields_set}


def _check_size(products: Sequence[Values], source: str) -> None:
    size = sum(math.prod(max(1, len(values)) for values in product.values()) for product in products)
    if size > LARGEST_SWEEP:
        raise UserError(f"{source}: the product of the lists is {size:,} cells, above {LARGEST_SWEEP:,}: shorten them")


def _check_trunk(products: Sequence[Values], source: str) -> None:
    topologies = {topology.name for product in products for topology in product["topology"]}
    if any(product["trunk"] for product in products) and "tree" not in topologies:
        raise UserError(f"{source}: trunk is given, but only a tree has links between switches: remove it")


def _product(values: Values, lab_when_auto: Callable[[], str]) -> Iterator[Cell]:
    """One cell for each combination; a key without values (trunk) is None in every cell."""
    for combination in itertools.product(*(axis or [None] for axis in values.values())):
        yield cell_at(dict(zip(values, combination, strict=True)), lab_when_auto)


def cell_at(point: Mapping[str, Any], lab_when_auto: Callable[[], str]) -> Cell:
    """The cell at one point of the product. An algorithm's own codec takes the place of the key `codec`."""
    algorithm = point["algorithm"]
    codec = algorithm.codec or point["codec"]
    straggler = point["straggler"]
    return Cell(
        lab=lab_when_auto() if point["lab"] == "auto" else point["lab"],
        network=network_at(point),
        algorithm=algorithm.name,
        algorithm_options=algorithm.options,
        codec=codec.name,
        codec_options=codec.options,
        graph=point["graph"],
        workload=point["workload"].name,
        workload_options=point["workload"].options,
        batch_size=point["batch_size"],
        partition=point["partition"].name,
        alpha=point["partition"].alpha,
        device=point["device"],
        compute_scale=point["compute_scale"],
        gradients=point["gradients"],
        steps=point["steps"].resolved(),
        full_epoch=point["full_epoch"],
        seed=point["seed"],
        slow_worker=straggler and straggler.slow_worker,
        schedule=point["schedule"],
        containers=point["containers"].resolved(),
        capture=point["capture"],
    )


def network_at(point: Mapping[str, Any]) -> Network:
    """The network at one point of the product."""
    topology, straggler = point["topology"], point["straggler"]
    is_tree = topology.name == "tree"  # the one topology with an arity and trunks
    return Network(
        topology=topology.name,
        workers=point["workers"],
        arity=_default_arity() if is_tree and topology.arity is None else topology.arity,
        bandwidth_bit_per_s=point["bandwidth"],
        trunk_bit_per_s=point["trunk"] if is_tree else None,
        latency_s=point["latency"],
        jitter_s=point["jitter"],
        loss=point["loss"],
        queue_bytes=point["queue"].at(point["bandwidth"]),
        slow_start_after_idle=point["slow_start_after_idle"],
        own_links=(straggler.own_links,) if straggler and straggler.own_links else (),
    )


def _default_arity() -> int:
    from topologies.tree import DEFAULT_ARITY  # imports Mininet, which only a sweep with a tree needs

    return DEFAULT_ARITY
