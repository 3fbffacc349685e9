"""A trial's workload, its batches and its algorithm at one worker: made here, for whoever checks or trains."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from functools import cache
from typing import Any

import torch

from algorithms import registry
from algorithms.algorithm import ALGORITHMS, Algorithm, Meter, Unmetered, Worker
from algorithms.codecs.codec import create_codec
from algorithms.graphs import create_graph
from testbed.training.trial import Trial
from testbed.workloads import Workload
from testbed.workloads import create as create_workload
from testbed.workloads.partition import Batches
from testbed.workloads.workload import Recipe

WARMUP = "warmup_densities"  # the option of algorithms that can begin denser


def prototype(name: str, options: Mapping[str, Any]) -> Workload:
    """A workload whose data are read once for all the trials that have it; UserError for unknown names and options."""
    return _prototype(name, json.dumps(dict(options), sort_keys=True))


@cache
def _prototype(name: str, options: str) -> Workload:
    return create_workload(name, options=json.loads(options))


def workload_of(trial: Trial) -> Workload:
    """The workload as the trial has it: its first parameters, and what becomes of local gradients.

    Weight decay is the algorithm's, after gradients were exchanged, and no part of them.
    """
    recipe = Recipe(
        learning_rate=trial.rate.rate,
        momentum=trial.algorithm_options["momentum"],
        weight_decay=0.0,
        clip_norm=trial.clip_norm,
    )
    return prototype(trial.workload, trial.workload_options).variant(seed=trial.seed, recipe=recipe)


def batches_of(trial: Trial, workload: Workload) -> Batches:
    """Who sees which samples when; UserError for a partition that is unknown or does not fit."""
    return Batches(
        workload.dataset,
        workers=trial.workers,
        batch_size=trial.batch_size,
        seed=trial.seed,
        partition=trial.partition,
        alpha=trial.alpha,
    )


def begins_denser(algorithm: str) -> bool:
    """Whether an algorithm can have a density warm-up."""
    return WARMUP in ALGORITHMS.find(algorithm).Options.model_fields


def density_warmup(trial: Trial, steps_per_epoch: int) -> dict[str, Any]:
    """The options of a trial's algorithm that make it begin denser; none where it does not."""
    if not trial.density_warmup:
        return {}
    return {"warmup_steps": steps_per_epoch, WARMUP: list(trial.density_warmup)}


def create_algorithm(
    trial: Trial, workload: Workload, rank: int, steps_per_epoch: int, meter: Meter | None = None, **more: Any
) -> Algorithm:
    """The algorithm of one worker; ValueError for what does not go together. `more`: of the algorithm's `Worker`."""
    options = {**trial.algorithm_options, **density_warmup(trial, steps_per_epoch)}
    worker = Worker(
        rank=rank,
        workers=trial.workers,
        parameters=workload.parameters,
        layers=workload.layers,
        codec=create_codec(trial.codec, trial.codec_options).on(workload.layers),
        graph=create_graph(trial.graph, trial.workers),
        seed=trial.seed,
        meter=meter or Unmetered(),
        options=options,
        device=torch.device(trial.device),
        **more,
    )
    return registry.create(trial.algorithm, worker)


def on_this_processor(trial: Trial) -> Trial:
    """The same trial without a GPU, for checks."""
    return dataclasses.replace(trial, device="cpu")
