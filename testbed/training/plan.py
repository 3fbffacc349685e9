"""A plan: a training file that was read, resolved to trials and found possible."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch

from algorithms import registry, theory
from algorithms.codecs.codec import create_codec
from testbed.errors import UserError
from testbed.labs.registry import auto
from testbed.specification import extensions
from testbed.specification.reading import parse, read_text
from testbed.specification.rules import warnings
from testbed.training.models import (
    batches_of,
    begins_denser,
    create_algorithm,
    on_this_processor,
    prototype,
    workload_of,
)
from testbed.training.network_file import cell_of, networks
from testbed.training.training_file import NO_LIMIT, TRAINING, Axes, TrainingFile
from testbed.training.trial import Trial
from testbed.workers.devices import gpus
from testbed.workloads.partition import SHARED, alpha_of
from testbed.workloads.workload import Recipe

LARGEST_TRAINING: Final = 10_000  # trials: a slip in a list, not a training that anyone waits for

Point = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class TrainingPlan:
    """What a training file declares."""

    name: str
    text: str  # the file as it was given
    trials: Sequence[Trial]  # in the order of declaration, each once
    warnings: Sequence[str]  # one sentence each


def load_training(path: Path, lab_when_auto: Callable[[], str] = lambda: auto()[0]) -> TrainingPlan:
    """The plan in a training file. UserError names the file and the key that is wrong, before anything starts.

    `lab_when_auto` says which lab `auto` is here.
    """
    source = str(path)
    text = read_text(path, TRAINING)
    file = parse(text, source, TRAINING)
    extensions.require_unambiguous()
    try:
        points = list(_points(file, source))
        trials = list({trial.id: trial for point in points for trial in _trials(point, lab_when_auto)}.values())
        _require_density_warmup_of_use(points, trials)
        advice = [sentence for trial in trials for sentence in _checked(trial)]
        advice += warnings([trial.network for trial in trials if trial.network is not None])
    except (ValueError, UserError) as error:
        raise UserError(f"{source}: {error}") from None
    return TrainingPlan(name=file.name or path.stem, text=text, trials=trials, warnings=list(dict.fromkeys(advice)))


def _points(file: TrainingFile, source: str) -> Iterator[Point]:
    """One value of each key for each combination; None for a key without values."""
    whole = {key: getattr(file, key) for key in Axes.model_fields}
    blocks = [{key: getattr(block, key) for key in block.model_fields_set} for block in file.include]
    products = [whole, *({**whole, **given} for given in blocks)]
    size = sum(_size(product) for product in products)
    if size > LARGEST_TRAINING:
        raise UserError(
            f"{source}: the product of the lists is {size:,} trials, above {LARGEST_TRAINING:,}: shorten them"
        )
    for product in products:
        for combination in itertools.product(*(values or [None] for values in product.values())):
            yield dict(zip(product, combination, strict=True))


def _size(product: Mapping[str, Sequence[Any]]) -> int:
    """How many trials a product of lists has."""
    on_networks = sum(1 if choice is None else sum(1 for _ in networks(choice)) for choice in product["network"])
    return on_networks * math.prod(max(1, len(values)) for key, values in product.items() if key != "network")


def _trials(point: Point, lab_when_auto: Callable[[], str]) -> Iterator[Trial]:
    """The trials at one point: one for each network, or one in this process."""
    trial = _trial(point)
    if point["network"] is None:
        yield trial
        return
    for network in networks(point["network"]):
        yield dataclasses.replace(trial, network=cell_of(trial, network, lab_when_auto))


def _trial(point: Point) -> Trial:
    """The trial at one point, complete with all defaults. What an algorithm names itself takes the keys' place."""
    algorithm, partition = point["algorithm"], point["partition"]
    codec = algorithm.codec or point["codec"]
    workload = prototype(point["workload"].name, point["workload"].options)
    options = registry.options(algorithm.name, _descent(point, workload.recipe) | algorithm.options)
    samples = None if partition.name == SHARED else point["batch_size"]
    codec_options = theory.resolved(codec.options, algorithm.name, options, samples)
    return Trial(
        workload=workload.name,
        workload_options=workload.options.model_dump(exclude_defaults=True),
        algorithm=algorithm.name,
        algorithm_options=options.model_dump(),
        codec=codec.name,
        codec_options=create_codec(codec.name, codec_options).options.model_dump(),
        graph=point["graph"],
        workers=point["workers"],
        batch_size=point["batch_size"],
        epochs=point["epochs"],
        partition=partition.name,
        alpha=alpha_of(partition.name, partition.alpha),
        seed=point["seeds"],
        rate=point["rate"].resolved(workload.recipe.learning_rate, point["workers"]),
        clip_norm=_clip_norm(point["clip_norm"], workload.recipe),
        density_warmup=(point["density_warmup"] or ()) if begins_denser(algorithm.name) else (),
        evaluate_every=point["evaluate_every"],
        divergence=point["divergence"],
        device=point["device"],
    )


def _descent(point: Point, recipe: Recipe) -> dict[str, float]:
    """Momentum and weight decay: the file's, or else the recipe's."""
    recipes = {"momentum": recipe.momentum, "weight_decay": recipe.weight_decay}
    return {key: default if point[key] is None else float(point[key]) for key, default in recipes.items()}


def _clip_norm(chosen: float | str | None, recipe: Recipe) -> float | None:
    if chosen is None:
        return recipe.clip_norm
    return None if chosen == NO_LIMIT else float(chosen)


def _require_density_warmup_of_use(points: Sequence[Point], trials: Sequence[Trial]) -> None:
    if any(point["density_warmup"] for point in points) and not any(trial.density_warmup for trial in trials):
        names = ", ".join(dict.fromkeys(trial.algorithm for trial in trials))
        raise UserError(f"density_warmup is given, but {names} always sends as many components: remove it")


def _checked(trial: Trial) -> tuple[str, ...]:
    """What theory does not cover in the trial; UserError or ValueError for what is not possible."""
    if trial.device == "cuda" and not gpus():
        raise UserError(
            f"device is cuda, but torch {torch.__version__} finds no GPU here: choose cpu, or see `gradwire doctor`"
        )
    workload = workload_of(trial)
    steps = batches_of(trial, workload).steps_per_epoch
    return create_algorithm(on_this_processor(trial), workload, 0, steps).advice()
