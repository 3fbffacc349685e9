"""The one interface of an allreduce: the sum of float32 vectors over all workers, or their mean."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Annotated

import torch
from pydantic import AfterValidator
from torch import Tensor

from algorithms.algorithm import Bytes, Exchange, Meter, Receive, Send, Step, Work
from algorithms.registration import Registry

FLOAT_BYTES = 4


class Summation(ABC):
    """One worker's side. Every worker ends with the same bits."""

    def __init__(self, rank: int, workers: int, count: int, meter: Meter, device: torch.device) -> None:
        self.rank, self.workers, self.count, self.device = rank, workers, count, device
        self._meter = meter

    @abstractmethod
    def sum(self, values: Tensor) -> Step:
        """Replace `values` (float32, `count` of them, flat and contiguous) by the sum over workers."""

    def average(self, vector: Tensor, into: Tensor) -> Step:
        """Fill `into` with the mean over workers of `vector`, which may be the same; else it is only read."""
        if into.data_ptr() != vector.data_ptr():
            into.copy_(vector)
        yield from self.sum(into)
        self.divide(into)

    @abstractmethod
    def sent_bytes(self) -> int:
        """What this worker hands over."""

    def room(self, count: int) -> Tensor:
        """Room for `count` received values."""
        return torch.empty(count, device=self.device)

    def add(self, total: Tensor, part: Tensor, into: Tensor | None = None) -> None:
        """into = total + part; `into` is `total` where it is left out."""
        with self._meter.work(Work.REDUCE, part.nbytes):
            torch.add(total, part, out=total if into is None else into)

    def divide(self, total: Tensor) -> None:
        """total /= workers."""
        with self._meter.work(Work.APPLY, total.nbytes):
            total.div_(self.workers)


SUMMATIONS: Registry[type[Summation]] = Registry("exchange", "algorithms.exchanges")


def _known(name: str) -> str:
    if name not in SUMMATIONS.names():
        raise ValueError(f"{name!r} is no exchange, must be one of {', '.join(SUMMATIONS.names())}; leave it out")
    return name


ExchangeName = Annotated[str, AfterValidator(_known)]  # of an option


def message(values: Tensor) -> Bytes:
    """The bytes of float32 values, in place."""
    return values.view(torch.uint8)


def send(peer: int, values: Tensor, tag: int = 0) -> Exchange:
    """One message of float32 values."""
    return Exchange(sends=(Send(peer, message(values), tag),))


def receive(peer: int, into: Tensor, tag: int = 0) -> Exchange:
    """Room for one message of float32 values."""
    return Exchange(receives=(Receive(peer, message(into), tag),))


def swap(peer: int, values: Tensor, into: Tensor, tag: int = 0) -> Exchange:
    """Both at once, with one peer."""
    return Exchange(sends=(Send(peer, message(values), tag),), receives=(Receive(peer, message(into), tag),))
