"""Algorithms by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from algorithms.algorithm import ALGORITHMS, Algorithm, AlgorithmOptions, Worker
from algorithms.codecs.codec import CODECS
from algorithms.options import parse_options


def names() -> tuple[str, ...]:
    """The names of all algorithms."""
    return ALGORITHMS.names()


def options(name: str, values: Mapping[str, Any]) -> AlgorithmOptions:
    """The checked options of algorithm `name`.

    ValueError in one sentence, so that a plan is refused before it runs.
    """
    return parse_options(f"algorithm {name}", ALGORITHMS.find(name).Options, values)


def vectors(name: str, codec: str) -> int:
    """How many vectors as long as a model a worker has at once, at most, the model's own included."""
    try:
        algorithm, exact = ALGORITHMS.find(name), CODECS.find(codec).exact
    except ValueError:  # it fails in its cell, where it is said
        return Algorithm.vectors
    return algorithm.vectors if exact else Algorithm.vectors


def create(name: str, worker: Worker) -> Algorithm:
    """The algorithm `name` for one worker; ValueError for unknown names, options and combinations."""
    return ALGORITHMS.find(name)(worker, options(name, worker.options))
