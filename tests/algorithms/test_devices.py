"""Algorithms and codecs make all their tensors on the worker's device: nothing is left to torch's default.

There need not be a GPU to see it. With another default (`meta`, whose tensors hold no values) a tensor made without a
device is not where the others are, and what it is added to or copied from fails or differs.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import Tensor

from algorithms import lockstep, registry
from algorithms.algorithm import ALGORITHMS, Algorithm, Worker
from algorithms.codecs.codec import CODECS, create_codec
from algorithms.exchanges.summation import SUMMATIONS
from algorithms.graphs import create_graph

WORKERS, PARAMETERS = 3, 50
HERE = torch.device("cpu")
META = torch.device("meta")
OPTIONS: dict[str, list[dict[str, Any]]] = {
    "allreduce fp32": [{"exchange": name} for name in SUMMATIONS.names()],
    "allreduce qsgd": [{}, {"aggregation": "allgather"}],
    "parameter-server qsgd": [{}, {"reply": "exact"}],
    "psgd fp32": [{"period": 2}, {"period": 2, "momentum_buffers": "averaged"}],
    "pqasgd qsgd": [{"period": 2}],
    "topk fp32": [{"density": 0.2}],
    "gtopk fp32": [{"density": 0.2}],
    "randomk fp32": [{"density": 0.2}, {"density": 0.2, "shared_seed": False}],
}
EXACT = ("d-psgd", "psgd", "rsgd", "topk", "gtopk", "randomk")  # for exact codecs only
OWN = ("qsgd", "terngrad", "onebit")  # for the codec of their name only
REFUSED = [(name, codec) for name in OWN for codec in CODECS.names() if codec != name]
COMBINATIONS = [
    (name, codec, options)
    for name in ALGORITHMS.names()
    for codec in CODECS.names()
    for options in OPTIONS.get(f"{name} {codec}", [{}])
    if (name not in EXACT or create_codec(codec).exact) and (name, codec) not in REFUSED
]
each_combination = pytest.mark.parametrize(("name", "codec", "options"), COMBINATIONS)


@contextmanager
def default_device(device: torch.device) -> Iterator[None]:
    torch.set_default_device(device)
    try:
        yield
    finally:
        torch.set_default_device(None)


def create(name: str, codec: str, options: dict[str, Any], rank: int, device: torch.device) -> Algorithm:
    worker = Worker(
        rank=rank,
        workers=WORKERS,
        parameters=PARAMETERS,
        codec=create_codec(codec),
        graph=create_graph("ring", WORKERS),
        device=device,
        options=options | {"momentum": 0.5},
    )
    return registry.create(name, worker)


def trained(name: str, codec: str, options: dict[str, Any]) -> list[Tensor]:
    """The models after some steps."""
    algorithms = [create(name, codec, options, rank, HERE) for rank in range(WORKERS)]
    xs = [torch.zeros(PARAMETERS, device=HERE) for _ in range(WORKERS)]
    for t in range(1, 4):
        gradients = [torch.full((PARAMETERS,), 0.1 * t + rank / 8, device=HERE) for rank in range(WORKERS)]
        lockstep.step_all(algorithms, xs, gradients, t, 0.1)
    return xs


@each_combination
def test_steps_use_no_device_but_the_workers(name: str, codec: str, options: dict[str, Any]) -> None:
    expected = trained(name, codec, options)
    with default_device(META):
        found = trained(name, codec, options)
    assert all(torch.equal(one, other) for one, other in zip(found, expected, strict=True))


def tensors_of(thing: object, seen: set[int]) -> Iterator[Tensor]:
    """All tensors that an object of this project holds, however deep."""
    if id(thing) in seen:
        return
    seen.add(id(thing))
    if isinstance(thing, Tensor):
        yield thing
    elif isinstance(thing, dict):
        for value in thing.values():
            yield from tensors_of(value, seen)
    elif isinstance(thing, list | tuple):
        for value in thing:
            yield from tensors_of(value, seen)
    elif type(thing).__module__.startswith("algorithms"):
        yield from tensors_of(vars(thing), seen)


@each_combination
def test_state_and_rooms_lie_on_the_workers_device(
    name: str, codec: str, options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch, "Generator", lambda device: None)  # that device has none
    found = list(tensors_of(create(name, codec, options, 0, META), set()))
    assert found
    assert {tensor.device for tensor in found} == {META}
