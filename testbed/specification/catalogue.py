"""Where the specification meets the registries: the names, options and combinations that a cell may have.

A catalogue completes a cell: it fills in the defaults of the options, so that equal cells have equal ids
however they were written, and raises ValueError or UserError, with one sentence, for what is unknown or does
not go together.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING

from testbed.cell import Cell, Change, Network
from testbed.specification import combinations

if TYPE_CHECKING:
    from algorithms.codecs.codec import Codec
    from testbed.profiles import Profile

Catalogue = Callable[[Cell], Cell]


def installed(cell: Cell) -> Cell:
    """The cell completed by what this installation has. Imports torch, so not at this module's import."""
    from algorithms import registry as algorithms
    from algorithms import theory
    from algorithms.codecs.codec import create_codec
    from testbed import profiles, workloads
    from testbed.workloads.partition import SHARED, alpha_of

    check_network(cell.network, cell.schedule)
    _check_graph(cell.graph, cell.network.workers)
    workload = workloads.create(cell.workload, options=cell.workload_options)
    options = algorithms.options(cell.algorithm, cell.algorithm_options)
    samples = None if cell.partition == SHARED else cell.batch_size
    codec = create_codec(cell.codec, theory.resolved(cell.codec_options, cell.algorithm, options, samples))
    completed = dataclasses.replace(
        cell,
        device=profiles.absolute(cell.device),
        workload_options=workload.options.model_dump(exclude_defaults=True),
        alpha=alpha_of(cell.partition, cell.alpha),
        algorithm_options=options.model_dump(),
        codec_options=codec.options.model_dump(),
    )
    _check_partition(completed.partition, completed.workload, json.dumps(completed.workload_options, sort_keys=True))
    if completed.gradients == "none":
        _check_constant(completed, codec)
    if completed.computes_here:
        _check_real_compute(completed)
    else:
        _check_profile(completed, codec)
    combinations.advice(completed)  # refuses what does not go together
    return completed


@cache
def check_network(network: Network, schedule: tuple[Change, ...]) -> None:
    """The topology can be built, and its links can be shaped as they are to be at every moment."""
    from shaping.schedule import scheduled
    from topologies.registry import make
    from topologies.wiring import derive

    topology = make(network.topology, workers=network.workers, arity=network.arity)
    scheduled(network, schedule, derive(topology))


@cache
def _check_graph(name: str, workers: int) -> None:
    from algorithms.graphs import create_graph

    create_graph(name, workers)


@cache
def _check_partition(name: str, workload: str, options: str) -> None:
    """The partition is one that the workload's data can have; they are read only where that depends on them."""
    from testbed import workloads
    from testbed.workloads.partition import OF_CLASSES, Batches, require_known

    require_known(name)
    if name in OF_CLASSES:
        dataset = workloads.create(workload, options=json.loads(options)).dataset
        Batches(dataset, workers=1, batch_size=1, seed=1, partition=name)


def _check_profile(cell: Cell, codec: Codec) -> None:
    """The device has a profile, which says how long the cell's workload and codec take."""
    from algorithms.algorithm import ALGORITHMS
    from testbed.workloads.workload import TIMELESS

    profile = _profile(cell.device)
    profile.compute_of(cell.workload)
    for option, value in cell.workload_options.items():
        if option not in TIMELESS:
            raise ValueError(
                f"workload {cell.workload}: option {option} is {value!r}, but device {cell.device} says how long the "
                "default model takes: leave it out, or compute for real, with lab: host and device: cpu"
            )
    for cost in (*(charge.name for charge in codec.charges(0)), *ALGORITHMS.find(cell.algorithm).costs):
        profile.codec_of(cost)


def _check_constant(cell: Cell, codec: Codec) -> None:
    """What a constant is coded in says how long the coded gradients of a training are."""
    from testbed.workloads.outline import outline

    layers = outline(cell.workload)
    knowing, count = codec.on(layers), layers[-1].stop
    if knowing.max_bytes(count) != knowing.payload_bytes(count):
        raise ValueError(
            f"gradients is none, but the size of what codec {cell.codec} makes depends on them: set gradients: live, "
            "or choose a coding of fixed size"
        )


def _check_real_compute(cell: Cell) -> None:
    """This machine has the device, and nothing stands in for what it computes."""
    from testbed.workers import devices

    if cell.gradients != "live":
        raise ValueError(
            f"gradients is {cell.gradients}, but device {cell.device} in lab host computes them for real: set "
            "gradients: live, or choose a device that is emulated, such as k80"
        )
    if cell.compute_scale != 1:
        raise ValueError(
            f"compute_scale is {cell.compute_scale:g}, but device {cell.device} in lab host takes what it takes: leave "
            "compute_scale out, or choose a device that is emulated, such as k80"
        )
    if cell.slow_worker is not None:
        raise ValueError(
            f"straggler: compute is {cell.slow_worker.compute:g}, but device {cell.device} in lab host takes what it "
            "takes: make the worker's links slower instead, or choose a device that is emulated, such as k80"
        )
    devices.require(cell.device)


@cache
def _profile(device: str) -> Profile:
    from testbed import profiles

    return profiles.load(device)
