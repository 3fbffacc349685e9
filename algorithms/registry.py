"""Algorithms by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from algorithms.algorithm import ALGORITHMS, Algorithm, AlgorithmOptions, Worker
from algorithms.options import parse_options


def names() -> tuple[str, ...]:
    """The names of all algorithms."""
    return ALGORITHMS.names()


def options(name: str, values: Mapping[str, Any]) -> AlgorithmOptions:
    """The checked options of algorithm `name`.

    ValueError in one sentence, so that a plan is refused before it runs.
    """
    return parse_options(f"algorithm {name}", ALGORITHMS.find(name).Options, values)


def create(name: str, worker: Worker) -> Algorithm:
    """The algorithm `name` for one worker; ValueError for unknown names, options and combinations."""
    return ALGORITHMS.find(name)(worker, options(name, worker.options))
