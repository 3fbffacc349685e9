"""What a data set is, and how one is found: the first provider that has it on this machine."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from testbed.errors import UserError

DATA_VARIABLE = "TESTBED_DATA"  # the user's own folder of data sets

Pixels = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """Labelled images, kept as the bytes they were read as; a batch is normalised and padded when it is made.

    Attributes:
        name: what results say was used, for example fashion-mnist.
        images: uint8 [samples, channels, height, width].
        labels: int64 [samples].
        mean: of the pixels of each channel, on a scale from 0 to 1.
        deviation: standard deviation, likewise.
        shape: of the images in a batch; smaller ones are centred on black, a single channel is repeated.
    """

    name: str
    images: Pixels
    labels: Labels
    mean: tuple[float, ...]
    deviation: tuple[float, ...]
    shape: tuple[int, int, int] = (3, 32, 32)

    @property
    def samples(self) -> int:
        """Number of images."""
        return len(self.labels)

    def batch(self, indices: npt.NDArray[np.int64]) -> tuple[torch.Tensor, torch.Tensor]:
        """Inputs, float32 [batch, *shape], and targets, int64 [batch], of the samples named."""
        images = _centred(self.images[indices], self.shape[1:])
        mean = torch.tensor(self.mean).view(1, -1, 1, 1)
        deviation = torch.tensor(self.deviation).view(1, -1, 1, 1)
        inputs = (torch.from_numpy(images).float() / 255 - mean) / deviation
        return inputs.expand(-1, self.shape[0], -1, -1), torch.from_numpy(self.labels[indices])


def _centred(images: Pixels, side: tuple[int, int]) -> Pixels:
    """[batch, channels, height, width] -> [batch, channels, *side], with a black margin all around."""
    height, width = images.shape[2:]
    if (height, width) == side:
        return images
    top, left = (side[0] - height) // 2, (side[1] - width) // 2
    padded = np.zeros((*images.shape[:2], *side), np.uint8)
    padded[:, :, top : top + height, left : left + width] = images
    return padded


@dataclass(frozen=True, kw_only=True)
class DataSource:
    """A data set that was found: what it is, and how to read it. `load` verifies what it reads."""

    name: str
    digest: str  # of the pinned content: equal digests, equal data
    load: Callable[[], Dataset]


@dataclass(frozen=True, kw_only=True)
class Provider:
    """A data set that might be on this machine.

    Attributes:
        name: of the data set.
        locate: the source, or None where none of the places has the files.
        places: the folders where `locate` looks, for the message when nothing is found.
    """

    name: str
    locate: Callable[[], DataSource | None]
    places: Callable[[], tuple[Path, ...]]


def user_folder() -> Path | None:
    """`$TESTBED_DATA`, or None where it is not set; UserError where it names no folder."""
    value = os.environ.get(DATA_VARIABLE)
    if not value:
        return None
    folder = Path(value).absolute()
    if not folder.is_dir():
        raise UserError(f"{DATA_VARIABLE} is {value}, which is not a folder: correct or unset it")
    return folder


def find(*providers: Provider) -> DataSource:
    """The first data set that is here, in the order given; UserError that names every folder searched."""
    for provider in providers:
        if source := provider.locate():
            return source
    wanted = " or ".join(provider.name for provider in providers)
    searched = dict.fromkeys(str(place) for provider in providers for place in provider.places())
    own = "" if user_folder() else f" ({DATA_VARIABLE} is not set)"
    raise UserError(f"data set {wanted} was not found in {', '.join(searched)}{own}: run `make data`")
