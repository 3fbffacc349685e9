"""The device of this machine that a worker computes on, where it does so for real."""

from __future__ import annotations

import functools
from collections.abc import Callable

import torch

from testbed.cell import Cell
from testbed.errors import UserError

HOST = torch.device("cpu")


def device_of(cell: Cell, rank: int) -> torch.device:
    """Where worker `rank` keeps its tensors: with `device: cuda` in the host lab on this machine's GPUs in turn.

    A device that is only emulated, by its profile, has its values in the host's memory.
    """
    if not (cell.computes_here and cell.device == "cuda"):
        return HOST
    return torch.device("cuda", rank % torch.cuda.device_count())


@functools.cache
def gpus() -> tuple[str, ...]:
    """The names of the GPUs that torch can use here."""
    if not torch.cuda.is_available():
        return ()
    return tuple(torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count()))


def require(name: str) -> None:
    """UserError unless this machine has the device `name`, to compute on for real."""
    if name == "cuda" and not gpus():
        built = "sees no GPU" if torch.version.cuda else "is built without CUDA"
        raise UserError(
            f"device cuda in lab host computes on this machine's GPU, but torch {torch.__version__} {built}: run "
            "`gradwire doctor`, or choose a device that is emulated, such as a100"
        )


def describe(device: torch.device) -> str:
    """The device in words, for provenance."""
    return f"{device} ({torch.cuda.get_device_name(device)})" if device.type == "cuda" else str(device)


def synchroniser(device: torch.device) -> Callable[[], None]:
    """What waits until the device has done all that its computing stream was told."""
    return _nothing if device.type == "cpu" else functools.partial(_synchronise, device)


def _nothing() -> None:
    """A processor has done what it was told."""


def _synchronise(device: torch.device) -> None:
    """Of the computing stream alone: copies go on meanwhile. By an event, for which a thread sleeps."""
    done = torch.cuda.Event(blocking=True)  # type: ignore[no-untyped-call]
    done.record(torch.cuda.current_stream(device))
    done.synchronize()
